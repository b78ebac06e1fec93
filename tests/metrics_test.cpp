// Metrics for reports: perplexity, bits per character, accuracy, edit distance, label error rate.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/losses/metrics.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "support/messages.hpp"

namespace {

using namespace rw::testing;
using rw::DType;
using rw::Shape;
using rw::Tensor;
using Size = std::int64_t;
using Labels = std::vector<Size>;

/// The letters of two words.
Size distance(const std::string& a, const std::string& b) {
  return rw::edit_distance(Labels(a.begin(), a.end()), Labels(b.begin(), b.end()));
}

/// The definition, as a recursion that stores nothing.
Size distance_by_recursion(std::span<const Size> a, std::span<const Size> b) {
  if (a.empty() || b.empty()) {
    return static_cast<Size>(a.size() + b.size());
  }
  if (a.back() == b.back()) {
    return distance_by_recursion(a.first(a.size() - 1), b.first(b.size() - 1));
  }
  return 1 + std::min({distance_by_recursion(a.first(a.size() - 1), b),
                       distance_by_recursion(a, b.first(b.size() - 1)),
                       distance_by_recursion(a.first(a.size() - 1), b.first(b.size() - 1))});
}

}  // namespace

BOOST_AUTO_TEST_CASE(perplexity_and_bits) {
  BOOST_TEST(rw::perplexity(0) == 1);
  BOOST_TEST(std::abs(rw::perplexity(std::log(64.0)) - 64) < 1e-12);
  BOOST_TEST(rw::bits_per_character(0) == 0);
  BOOST_TEST(std::abs(rw::bits_per_character(std::log(64.0)) - 6) < 1e-15);
  BOOST_TEST(std::isnan(rw::perplexity(std::nan(""))));
}

BOOST_AUTO_TEST_CASE(accuracy_counts_rows) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor scores =
        Tensor::from<float>({4, 3}, {1, 2, 3, 5, 4, 4, 0, 0, -1, -3, -2, -9}).to(dtype);
    // The first of equal scores counts.
    BOOST_TEST(rw::accuracy(scores, Tensor::from<Size>({4}, {2, 0, 0, 1})) == 1);
    BOOST_TEST(rw::accuracy(scores, Tensor::from<Size>({4}, {2, 0, 1, 1})) == 0.75);
    BOOST_TEST(rw::accuracy(scores, Tensor::from<Size>({4}, {1, 1, 2, 2})) == 0);
    BOOST_TEST(rw::accuracy(scores, Tensor::from<Size>({4}, {2, -100, 2, -100})) == 0.5);
    BOOST_TEST(rw::accuracy(scores, Tensor::from<Size>({4}, {2, 0, 0, 2}), {.ignore_index = 2}) ==
               1);
    BOOST_TEST(rw::accuracy(scores, Tensor::from<Size>({4}, {2, 0, 7, -1})) == 0.5);
  }
  const Tensor single = Tensor::from<float>({2}, {1, 0});
  BOOST_TEST(rw::accuracy(single, Tensor::from<Size>({}, {0})) == 1);
}

BOOST_AUTO_TEST_CASE(accuracy_of_ragged_sequences) {
  const float nan_value = std::numeric_limits<float>::quiet_NaN();
  // Steps of two sequences, the second of which is one step long.
  const Tensor scores = Tensor::from<float>(
      {3, 2, 2}, {1, 0, 0, 1, 0, 1, nan_value, nan_value, 0, 1, nan_value, nan_value});
  const Tensor targets = Tensor::from<Size>({3, 2}, {0, 1, 1, 0, 0, 0});
  const Tensor lengths = Tensor::from<Size>({2}, {3, 1});
  const rw::Tally tally = rw::count_correct(scores, targets, {.lengths = lengths});
  BOOST_TEST(tally.hits == 3);
  BOOST_TEST(tally.total == 4);
  // Unless they are masked, rows with a NaN are wrong, whatever their target.
  BOOST_TEST(rw::count_correct(scores, targets).hits == 3);
  BOOST_TEST(rw::count_correct(scores, targets).total == 6);
  BOOST_TEST(rw::count_correct(scores, Tensor::from<Size>({3, 2}, {0, 1, 1, 1, 0, 1})).hits == 3);
  rw::Tally sum = tally;
  sum += {1, 6};
  BOOST_TEST(sum.rate() == 0.4);
}

BOOST_AUTO_TEST_CASE(accuracy_of_sequences_padded_in_front) {
  const Tensor scores = Tensor::from<float>({3, 2, 2}, {1, 0, 9, 0, 0, 1, 9, 0, 0, 1, 0, 1});
  const Tensor targets = Tensor::from<Size>({3, 2}, {0, 0, 1, 0, 0, 1});
  const rw::Lengths lengths(Tensor::from<Size>({2}, {3, 1}), rw::Padding::before);
  const rw::Tally tally = rw::count_correct(scores, targets, {.lengths = lengths});
  BOOST_TEST(tally.hits == 3);
  BOOST_TEST(tally.total == 4);
}

BOOST_AUTO_TEST_CASE(accuracy_of_nothing) {
  const Tensor lengths = Tensor::from<Size>({2}, {0, 0});
  const Tensor targets = Tensor::from<Size>({1, 2}, {0, 0});
  BOOST_TEST(rw::count_correct(rw::zeros({1, 2, 3}), targets, {.lengths = lengths}).total == 0);
  BOOST_TEST(std::isnan(rw::accuracy(rw::zeros({1, 2, 3}), targets, {.lengths = lengths})));
  BOOST_TEST(fmt::format("{}", rw::Tally().rate()) == "nan");
  BOOST_TEST(rw::count_correct(rw::zeros({0, 3}), Tensor::from<Size>({0}, Labels{})).total == 0);
  BOOST_TEST(rw::accuracy(rw::zeros({2, 0}), Tensor::from<Size>({2}, {0, 0})) == 0);
}

BOOST_AUTO_TEST_CASE(strided_scores_and_targets) {
  rw::Rng rng(1);
  const Tensor scores = rw::slice(rng.normal({5, 4, 9}, 0, 1), 2, 2, 6);
  Labels all(30);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<Size>(i * i % 4);
  }
  const Tensor targets = rw::slice(Tensor::from<Size>({5, 6}, all), 1, 1, 5);
  const rw::Tally dense = rw::count_correct(scores.clone(), targets.clone());
  BOOST_TEST(dense.hits > 0);
  BOOST_TEST(rw::count_correct(scores, targets).hits == dense.hits);
}

BOOST_AUTO_TEST_CASE(edit_distances) {
  BOOST_TEST(distance("kitten", "sitting") == 3);
  BOOST_TEST(distance("intention", "execution") == 5);
  BOOST_TEST(distance("saturday", "sunday") == 3);
  BOOST_TEST(distance("", "") == 0);
  BOOST_TEST(distance("", "abc") == 3);
  BOOST_TEST(distance("abc", "") == 3);
  BOOST_TEST(distance("abc", "abc") == 0);
  BOOST_TEST(distance("abc", "cab") == 2);
}

BOOST_AUTO_TEST_CASE(edit_distances_equal_their_definition) {
  rw::Rng rng(2);
  const auto draw = [&] {
    const auto length = static_cast<std::size_t>(rng.uniform({1}, 0, 7).item());
    Labels labels(length);
    for (Size& label : labels) {
      label = static_cast<Size>(rng.uniform({1}, 0, 3).item());
    }
    return labels;
  };
  for (int i = 0; i < 200; ++i) {
    const Labels a = draw();
    const Labels b = draw();
    BOOST_TEST(rw::edit_distance(a, b) == distance_by_recursion(a, b));
    BOOST_TEST(rw::edit_distance(b, a) == rw::edit_distance(a, b));
  }
}

BOOST_AUTO_TEST_CASE(label_error_rates) {
  const auto rate = [](const std::vector<Labels>& got, const std::vector<Labels>& wanted) {
    return rw::label_error_rate(got, wanted);
  };
  BOOST_TEST(rate({{1, 2, 3}, {4}}, {{1, 2, 3}, {4}}) == 0);
  // One substitution and one deletion among five labels: not the mean of the sequences' rates.
  BOOST_TEST(rate({{1, 9, 3, 4}, {}}, {{1, 2, 3, 4}, {5}}) == 0.4);
  BOOST_TEST(rate({{1, 1, 1}}, {{1}}) == 2);
  BOOST_TEST(rate({}, {}) == 0);
  BOOST_TEST(rate({{}}, {{}}) == 0);
  BOOST_TEST(rate({{1}}, {{}}) == std::numeric_limits<double>::infinity());
  BOOST_CHECK_EXCEPTION(rate({{1}}, {{1}, {2}}), rw::ShapeError,
                        says("label_error_rate: got 1 hypotheses and 2 references"));
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = rw::zeros({4, 2, 3});
  const Tensor good = rw::zeros({4, 2}, DType::int64);
  BOOST_CHECK_EXCEPTION(rw::accuracy(x, rw::zeros({4}, DType::int64)), rw::ShapeError,
                        says("accuracy: targets are [4], expected [4, 2]"));
  BOOST_CHECK_EXCEPTION(rw::count_correct(x, rw::zeros({4}, DType::int64)), rw::ShapeError,
                        says("count_correct: targets are [4], expected [4, 2]"));
  BOOST_CHECK_THROW(rw::accuracy(x, rw::zeros({4, 2})), rw::UsageError);
  BOOST_CHECK_THROW(rw::accuracy(good, good), rw::UsageError);
  BOOST_CHECK_THROW(rw::accuracy(rw::scalar(1), rw::scalar(1, DType::int64)), rw::ShapeError);
  BOOST_CHECK_EXCEPTION(rw::accuracy(x, good, {.lengths = Tensor::from<Size>({2}, {4, 5})}),
                        rw::ShapeError, says("accuracy: lengths[1] = 5 is outside [0, 4]"));
  BOOST_CHECK_THROW(rw::accuracy(rw::zeros({4, 3}), rw::zeros({4}, DType::int64),
                                 {.lengths = Tensor::from<Size>({1}, {4})}),
                    rw::ShapeError);
}
