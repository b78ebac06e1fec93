// Greedy and prefix beam decoding against an enumeration of all paths, and their edge cases.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/ctc.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/layers/ctc_decode.hpp>
#include <rewind/layers/sequence.hpp>

#include "support/ctc_paths.hpp"
#include "support/messages.hpp"
#include "support/values.hpp"

namespace {

using namespace rw::testing;
using rw::DType;
using rw::Reduction;
using rw::Tensor;

bool operator==(const rw::CtcDecoded& a, const rw::CtcDecoded& b) {
  return a.labels == b.labels && a.log_probability == b.log_probability;
}

}  // namespace

BOOST_AUTO_TEST_CASE(padding_may_stand_in_front) {
  const Tensor x = Values(12).uniform({5, 2, 3}, -2, 2);
  const Labels length = {5, 3};
  // Lengths with the side of the padding, as in a Sequence.
  const rw::Sequence lengths(x, integers(length), rw::Padding::before);
  const auto greedy = rw::ctc_greedy_decode(x, lengths);
  const auto beams = rw::ctc_beam_search(x, lengths, {.beams = 8, .results = 3});
  for (std::size_t b = 0; b < 2; ++b) {
    const auto at = static_cast<Size>(b);
    const Tensor alone = rw::slice(rw::slice(x, 1, at, at + 1), 0, 5 - length[b], 5);
    BOOST_TEST((rw::ctc_greedy_decode(alone)[0] == greedy[b]));
    const auto expected = rw::ctc_beam_search(alone, {}, {.beams = 8, .results = 3})[0];
    BOOST_REQUIRE(beams[b].size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      BOOST_TEST((beams[b][i] == expected[i]));
    }
  }
}

BOOST_AUTO_TEST_CASE(wide_beams_find_what_enumeration_finds) {
  Values values(11);
  int best_differs_from_greedy = 0;
  for (int round = 0; round < 40; ++round) {
    const Size steps = 1 + round % 4;
    const Size blank = round % 3;
    const Tensor x = values.uniform({steps, 1, 3}, -2, 2);
    std::map<Labels, double> p;
    Labels best_path;
    double best_p = 0;
    for_each_path(x, [&](const Labels& path, double of_path) {
      p[collapsed(path, blank)] += of_path;
      if (of_path > best_p) {
        best_p = of_path;
        best_path = path;
      }
    });
    std::vector<std::pair<double, Labels>> sorted;
    for (const auto& [labels, of_labels] : p) {
      sorted.emplace_back(of_labels, labels);
    }
    std::sort(sorted.rbegin(), sorted.rend());

    const auto found =
        rw::ctc_beam_search(x, {}, {.blank = blank, .beams = 1000, .results = 1000})[0];
    BOOST_REQUIRE_EQUAL(found.size(), sorted.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      BOOST_TEST(found[i].labels == sorted[i].second, boost::test_tools::per_element());
      BOOST_TEST(std::abs(found[i].log_probability - std::log(sorted[i].first)) < 1e-12);
      // The loss gives the same number.
      const Tensor value =
          rw::ctc_loss(x, columns({found[i].labels}), {}, {}, {blank, Reduction::sum});
      BOOST_TEST(std::abs(value.item() + found[i].log_probability) < 1e-12);
    }

    const rw::CtcDecoded greedy = rw::ctc_greedy_decode(x, {}, blank)[0];
    BOOST_TEST(greedy.labels == collapsed(best_path, blank), boost::test_tools::per_element());
    BOOST_TEST(std::abs(greedy.log_probability - std::log(best_p)) < 1e-12);
    best_differs_from_greedy += greedy.labels != found[0].labels ? 1 : 0;
  }
  BOOST_TEST(best_differs_from_greedy > 0);
}

BOOST_AUTO_TEST_CASE(best_path_is_not_the_best_labelling) {
  // Figure 7.3 of Graves (2012): blank 0.7 and 0.6, a 0.3 and 0.4. The path of blanks is the most
  // probable, 0.42, but the paths of "a" sum to 0.58.
  const Tensor x = log(Tensor::from<double>({2, 1, 2}, {0.7, 0.3, 0.6, 0.4}));
  const rw::CtcDecoded greedy = rw::ctc_greedy_decode(x)[0];
  BOOST_TEST(greedy.labels.empty());
  BOOST_TEST(std::abs(greedy.log_probability - std::log(0.42)) < 1e-12);
  const auto found = rw::ctc_beam_search(x, {}, {.beams = 3, .results = 3})[0];
  BOOST_REQUIRE_EQUAL(found.size(), 2U);
  BOOST_TEST(found[0].labels == Labels{1}, boost::test_tools::per_element());
  BOOST_TEST(std::abs(found[0].log_probability - std::log(0.58)) < 1e-12);
  BOOST_TEST(std::abs(found[1].log_probability - std::log(0.42)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(narrow_beams_give_lower_bounds) {
  rw::Rng rng(12);
  const Tensor x = rng.normal({12, 6, 5}, 0, 2);
  const auto narrow = rw::ctc_beam_search(x, {}, {.beams = 4, .results = 4});
  const auto wide = rw::ctc_beam_search(x, {}, {.beams = 400, .results = 1});
  BOOST_REQUIRE_EQUAL(narrow.size(), 6U);
  for (std::size_t b = 0; b < 6; ++b) {
    BOOST_REQUIRE_EQUAL(narrow[b].size(), 4U);
    const Tensor one =
        rw::slice(x, 1, static_cast<Size>(b), static_cast<Size>(b) + 1).to(DType::float64);
    double before = 0;
    for (const rw::CtcDecoded& found : narrow[b]) {
      const double exact =
          -rw::ctc_loss(one, columns({found.labels}), {}, {}, {.reduction = Reduction::sum}).item();
      BOOST_TEST(found.log_probability <= exact + 1e-9);
      BOOST_TEST(found.log_probability <= before);
      before = found.log_probability;
    }
    BOOST_TEST(wide[b][0].log_probability >= narrow[b][0].log_probability - 1e-9);
  }
}

// The same search with a map from prefixes instead of the tree.
BOOST_AUTO_TEST_CASE(narrow_beams_equal_a_plain_search) {
  struct Ends {
    double blank = 0;
    double label = 0;
    double both() const { return blank + label; }
  };
  constexpr Size steps = 12;
  constexpr Size classes = 4;
  Values values(14);
  for (std::size_t beams = 1; beams <= 6; ++beams) {
    for (int round = 0; round < 20; ++round) {
      const Tensor x = values.uniform({steps, 1, classes}, -1, 1);
      const Numbers p = numbers(softmax(x));
      std::map<Labels, Ends> kept = {{Labels{}, {1, 0}}};
      std::vector<std::pair<double, Labels>> sorted;
      for (std::size_t t = 0; t < steps; ++t) {
        std::map<Labels, Ends> next;
        for (const auto& [prefix, ends] : kept) {
          next[prefix].blank += ends.both() * p[t * classes];
          for (Size c = 1; c < classes; ++c) {
            const double of_class = p[t * classes + static_cast<std::size_t>(c)];
            const bool repeats = !prefix.empty() && prefix.back() == c;
            if (repeats) {
              next[prefix].label += ends.label * of_class;
            }
            Labels longer = prefix;
            longer.push_back(c);
            next[longer].label += (repeats ? ends.blank : ends.both()) * of_class;
          }
        }
        sorted.clear();
        for (const auto& [prefix, ends] : next) {
          sorted.emplace_back(ends.both(), prefix);
        }
        std::sort(sorted.rbegin(), sorted.rend());
        sorted.resize(std::min(beams, sorted.size()));
        kept.clear();
        for (const auto& [score, prefix] : sorted) {
          kept[prefix] = next[prefix];
        }
      }
      const auto count = static_cast<Size>(beams);
      const auto found = rw::ctc_beam_search(x, {}, {.beams = count, .results = count})[0];
      BOOST_REQUIRE_EQUAL(found.size(), sorted.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        BOOST_TEST(found[i].labels == sorted[i].second, boost::test_tools::per_element());
        BOOST_TEST(std::abs(found[i].log_probability - std::log(sorted[i].first)) < 1e-11);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(lengths_cut_sequences_off) {
  rw::Rng rng(13);
  Tensor x = rng.normal({6, 3, 4}, 0, 2);
  const Labels steps = {6, 3, 0};
  for (Size t = 3; t < 6; ++t) {
    for (Size c = 0; c < 4; ++c) {
      x.mutable_data<float>()[(t * 3 + 1) * 4 + c] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  const auto greedy = rw::ctc_greedy_decode(x, integers(steps), 1);
  const auto found = rw::ctc_beam_search(x, integers(steps), {.blank = 1, .beams = 8});
  for (Size b = 0; b < 3; ++b) {
    const auto i = static_cast<std::size_t>(b);
    const Tensor alone = rw::slice(rw::slice(x, 1, b, b + 1), 0, 0, steps[i]);
    BOOST_TEST((greedy[i] == rw::ctc_greedy_decode(alone, {}, 1)[0]));
    BOOST_TEST((found[i][0] == rw::ctc_beam_search(alone, {}, {.blank = 1, .beams = 8})[0][0]));
  }
  BOOST_TEST(greedy[2].labels.empty());
  BOOST_TEST(found[2][0].labels.empty());
  BOOST_TEST(found[2][0].log_probability == 0);
  BOOST_TEST(rw::ctc_greedy_decode(rw::zeros({3, 0, 2})).empty());
  BOOST_TEST(rw::ctc_beam_search(rw::zeros({3, 0, 2})).empty());
}

BOOST_AUTO_TEST_CASE(impossible_classes_are_no_results) {
  const auto gone = -std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::from<float>({2, 1, 3}, {gone, 0, gone, 0, gone, gone});
  const auto found = rw::ctc_beam_search(x, {}, {.beams = 9, .results = 9})[0];
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST(found[0].labels == Labels{1}, boost::test_tools::per_element());
  BOOST_TEST(found[0].log_probability == 0);
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = rw::zeros({2, 1, 3});
  BOOST_CHECK_EXCEPTION(rw::ctc_beam_search(x, {}, {.beams = 0}), rw::UsageError,
                        says("ctc_beam_search: results is 1 and beams 0"));
  BOOST_CHECK_THROW(rw::ctc_beam_search(x, {}, {.beams = 2, .results = 3}), rw::UsageError);
  BOOST_CHECK_THROW(rw::ctc_beam_search(x, {}, {.results = 0}), rw::UsageError);
  BOOST_CHECK_EXCEPTION(rw::ctc_greedy_decode(x, {}, 3), rw::ShapeError, says("blank 3"));
  BOOST_CHECK_EXCEPTION(rw::ctc_greedy_decode(x, integers({3})), rw::ShapeError,
                        says("ctc_greedy_decode: lengths[0] = 3 is outside [0, 2]"));
  BOOST_CHECK_THROW(rw::ctc_greedy_decode(rw::zeros({2, 3})), rw::ShapeError);
  BOOST_CHECK_THROW(rw::ctc_greedy_decode(rw::zeros({2, 1, 3}, DType::int64)), rw::UsageError);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (int i = 3; i < 6; ++i) {
      Tensor broken = x.clone();
      broken.mutable_data<float>()[i] = bad;
      BOOST_CHECK_EXCEPTION(rw::ctc_greedy_decode(broken), rw::NonFiniteError,
                            says("ctc_greedy_decode: step 1 of sequence 0"));
      BOOST_CHECK_THROW(rw::ctc_beam_search(broken), rw::NonFiniteError);
    }
  }
}
