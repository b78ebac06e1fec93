// The CTC loss against an enumeration of all paths, and its edge cases.

#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/ctc.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "support/closeness.hpp"
#include "support/counted_allocations.hpp"
#include "support/ctc_paths.hpp"
#include "support/gradient_of.hpp"
#include "support/messages.hpp"
#include "support/values.hpp"

namespace {

using namespace rw::testing;
using rw::CtcOptions;
using rw::DType;
using rw::Reduction;
using rw::Shape;
using rw::Tensor;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

Tensor lengths_of(const std::vector<Labels>& batch) {
  Labels lengths;
  for (const Labels& labels : batch) {
    lengths.push_back(static_cast<Size>(labels.size()));
  }
  return integers(lengths);
}

struct Enumerated {
  double p = 0;
  Numbers gradient;  // of -log p with respect to the logits
};

Enumerated enumerate(const Tensor& logits, const Labels& labels, Size blank) {
  Enumerated result{0, numbers(softmax(logits.to(DType::float64)))};
  Numbers visits(result.gradient.size());
  const auto classes = static_cast<std::size_t>(logits.size(2));
  for_each_path(logits, [&](const Labels& path, double p) {
    if (collapsed(path, blank) == labels) {
      result.p += p;
      for (std::size_t t = 0; t < path.size(); ++t) {
        visits[t * classes + static_cast<std::size_t>(path[t])] += p;
      }
    }
  });
  for (std::size_t i = 0; i < visits.size(); ++i) {
    result.gradient[i] -= visits[i] / result.p;
  }
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(equals_the_enumeration_of_all_paths) {
  Values values(1);
  int compared = 0;
  for (Size steps = 1; steps <= 4; ++steps) {
    for (Size classes = 1; classes <= 3; ++classes) {
      for (Size blank = 0; blank < classes; ++blank) {
        const Tensor x = values.uniform({steps, 1, classes}, -3, 3);
        for (const Labels& labels :
             all_labels(classes, blank, static_cast<std::size_t>(steps) + 1)) {
          const Enumerated expected = enumerate(x, labels, blank);
          for (const DType dtype : {DType::float64, DType::float32}) {
            const double tolerance = dtype == DType::float64 ? 1e-13 : 2e-6;
            const Loss f = [&](const Tensor& v) {
              return rw::ctc_loss(v, columns({labels}), {}, {}, {blank, Reduction::none});
            };
            BOOST_TEST_CONTEXT(
                fmt::format("T {}, C {}, blank {}, labels {}", steps, classes, blank, labels)) {
              const Tensor value = f(x.to(dtype));
              BOOST_TEST((value.shape() == Shape{1}));
              const double wanted = expected.p == 0 ? infinity : -std::log(expected.p);
              check_near(numbers(value), {wanted}, tolerance * (1 + wanted));
              check_near(gradient_of(x.to(dtype), f), expected.gradient, tolerance);
              if (expected.p > 0) {
                check_near(gradient_of(x.to(dtype), f, true), expected.gradient, 10 * tolerance);
              }
            }
            ++compared;
          }
        }
      }
    }
  }
  BOOST_TEST(compared > 500);
}

BOOST_AUTO_TEST_CASE(probabilities_of_all_labels_add_up_to_one) {
  const Tensor x = Values(2).uniform({5, 1, 3}, -2, 2);
  double total = 0;
  for (const Labels& labels : all_labels(3, 1, 5)) {
    total += std::exp(-rw::ctc_loss(x, columns({labels}), {}, {}, {1, Reduction::sum}).item());
  }
  BOOST_TEST(std::abs(total - 1) < 1e-13);
}

// torch::nn::functional::ctc_loss of LibTorch 1.13.1 on log_softmax of the same logits; the last
// sequence has too few steps for its repetitions.
BOOST_AUTO_TEST_CASE(agrees_with_pytorch) {
  Numbers logits;
  for (int i = 0; i < 6 * 4 * 5; ++i) {
    logits.push_back(2 * std::sin(1.7 * i));
  }
  const Tensor x = Tensor::from<double>({6, 4, 5}, logits);
  const std::vector<Labels> batch = {{1, 2, 3}, {4, 4, 1}, {2}, {3, 3, 3}};
  const auto loss = [&](Reduction reduction, bool zero_infinity) -> Loss {
    return [=](const Tensor& v) {
      return rw::ctc_loss(v, columns(batch), integers({6, 5, 4, 4}), lengths_of(batch),
                          {0, reduction, zero_infinity});
    };
  };
  const Numbers each = {6.14805439307216, 8.89239973588087, 6.49952063950085};
  check_near(numbers(loss(Reduction::none, false)(x)), {each[0], each[1], each[2], infinity},
             1e-13);
  check_near(numbers(loss(Reduction::none, true)(x)), {each[0], each[1], each[2], 0}, 1e-13);
  BOOST_TEST(loss(Reduction::sum, false)(x).item() == infinity);
  BOOST_TEST(loss(Reduction::mean, false)(x).item() == infinity);
  check_near(numbers(loss(Reduction::mean, true)(x)), {2.87825133728796}, 1e-13);
  check_near(numbers(loss(Reduction::sum, true)(x)), {21.5399747684539}, 1e-12);

  const Numbers first = {0.00449580805483, -0.0289993451309, 0.00426868928422, 0.00111712638479,
                         0.019117721407,   0.00712101922031, 0.00154997408261, 0.001825243423,
                         0.0350337266049,  -0.0455299633308, -0.0353202666886, 0.0201222892575,
                         -0.0104975742014, 0.0218140221243,  0.00388152950816};
  const Numbers fifth = {-0.000444043173347, 0.00347507052232, 0.0562533180283,  -0.0606036121248,
                         0.00131926674746,   0.00545854102614, -0.0297283307712, 0.0043985319604,
                         0.00111090344687,   0.0187603543378};
  for (const bool zero_infinity : {false, true}) {
    const Numbers got = numbers(gradient_of(x, loss(Reduction::mean, zero_infinity)));
    check_near({got.begin(), got.begin() + 15}, first, 1e-12);
    check_near({got.begin() + 80, got.begin() + 90}, fifth, 1e-12);
    check_near({got.begin() + 15, got.begin() + 20}, Numbers(5, zero_infinity ? 0 : nan_value), 0);
    check_near({got.begin() + 90, got.begin() + 100}, Numbers(10), 0);
    check_near(gradient_of(x, loss(Reduction::mean, zero_infinity), true), got, 1e-14);
  }
}

BOOST_AUTO_TEST_CASE(a_batch_equals_its_sequences_alone) {
  rw::Rng rng(3);
  const std::vector<Labels> batch = {{1, 2, 2}, {}, {4, 1, 3, 3, 2}, {2}, {3}};
  const Labels steps = {7, 3, 9, 0, 1};
  const Tensor x = rng.normal({9, 5, 5}, 0, 2);
  const auto f = [&](const Tensor& v) {
    return rw::ctc_loss(v, columns(batch), integers(steps), lengths_of(batch),
                        {.reduction = Reduction::none, .zero_infinity = true});
  };
  const Numbers values = numbers(f(x));
  const Numbers gradient = numbers(gradient_of(x, f));
  for (std::size_t b = 0; b < batch.size(); ++b) {
    const Tensor one = rw::slice(x, 1, static_cast<Size>(b), static_cast<Size>(b) + 1);
    const Tensor alone = rw::slice(one, 0, 0, steps[b]);
    const auto g = [&](const Tensor& v) {
      return rw::ctc_loss(v, columns({batch[b]}), {}, {},
                          {.reduction = Reduction::none, .zero_infinity = true});
    };
    BOOST_TEST(numbers(g(alone))[0] == values[b]);
    const Numbers expected = numbers(gradient_of(alone, g));
    for (std::size_t t = 0; t < 9; ++t) {
      for (std::size_t c = 0; c < 5; ++c) {
        const double wanted = t < static_cast<std::size_t>(steps[b]) ? expected[t * 5 + c] : 0;
        BOOST_TEST(gradient[(t * 5 + b) * 5 + c] == wanted);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(padding_changes_nothing) {
  rw::Rng rng(4);
  const std::vector<Labels> batch = {{1, 1}, {2}, {1, 2}};
  const Labels steps = {4, 2, 0};
  const Tensor clean = rng.normal({5, 3, 3}, 0, 2);
  for (const double garbage : {nan_value, infinity, -infinity, 1e30}) {
    Tensor dirty = clean.clone();
    for (Size t = 0; t < 5; ++t) {
      for (Size b = 0; b < 3; ++b) {
        if (t >= steps[static_cast<std::size_t>(b)]) {
          std::fill_n(dirty.mutable_data<float>() + (t * 3 + b) * 3, 3,
                      static_cast<float>(garbage));
        }
      }
    }
    for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
      const auto loss = [&](Size padding) -> Loss {
        return [=](const Tensor& v) {
          return rw::ctc_loss(v, columns(batch, padding), integers(steps), lengths_of(batch),
                              {.reduction = reduction, .zero_infinity = true});
        };
      };
      check_near(numbers(loss(-7)(dirty)), numbers(loss(1)(clean)), 0);
      for (const bool recorded : {false, true}) {
        check_near(gradient_of(dirty, loss(99), recorded), gradient_of(clean, loss(0), recorded),
                   0);
      }
    }
  }
}

// Steps and labels each padded on either side give the same as the sequences alone.
BOOST_AUTO_TEST_CASE(padding_may_stand_in_front) {
  const std::vector<Labels> batch = {{1, 1}, {2}, {1, 2}, {}, {2, 2}};
  const Labels steps = {4, 2, 5, 0, 2};
  const Tensor clean = Values(10).uniform({5, 5, 3}, -2, 2);
  Tensor x = clean.clone();
  for (Size t = 0; t < 5; ++t) {
    for (Size b = 0; b < 5; ++b) {
      if (t < 5 - steps[static_cast<std::size_t>(b)]) {
        std::fill_n(x.mutable_data<double>() + (t * 5 + b) * 3, 3, nan_value);
      }
    }
  }
  // The labels at the end of each column, with a class that does not exist before them.
  const Tensor behind = Tensor::from<Size>({2, 5}, {1, -7, 1, -7, 2, 1, 2, 2, -7, 2});
  const rw::Lengths in_front(integers(steps), rw::Padding::before);
  for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
    const CtcOptions options{.reduction = reduction, .zero_infinity = true};
    const Loss f = [&](const Tensor& v) {
      return rw::ctc_loss(v, behind, in_front, {lengths_of(batch), rw::Padding::before}, options);
    };
    const Loss g = [&](const Tensor& v) {
      return rw::ctc_loss(v, columns(batch), in_front, lengths_of(batch), options);
    };
    check_near(numbers(f(x)), numbers(g(x)), 0);
    // The sequences with their padding at the end.
    Tensor moved = clean.clone();
    for (Size b = 0; b < 5; ++b) {
      const Size n = steps[static_cast<std::size_t>(b)];
      for (Size t = 0; t < n; ++t) {
        std::copy_n(clean.data<double>() + ((5 - n + t) * 5 + b) * 3, 3,
                    moved.mutable_data<double>() + (t * 5 + b) * 3);
      }
    }
    const Loss plain = [&](const Tensor& v) {
      return rw::ctc_loss(v, columns(batch), integers(steps), lengths_of(batch), options);
    };
    check_near(numbers(f(x)), numbers(plain(moved)), 0);
    for (const bool recorded : {false, true}) {
      const Numbers got = numbers(gradient_of(x, f, recorded));
      const Numbers expected = numbers(gradient_of(moved, plain, recorded));
      const Numbers added = numbers(gradient_of(
          x, [&](const Tensor& v) { return f(v) + f(v); }, recorded));
      for (Size t = 0; t < 5; ++t) {
        for (Size b = 0; b < 5; ++b) {
          const Size n = steps[static_cast<std::size_t>(b)];
          for (Size c = 0; c < 3; ++c) {
            const auto at = static_cast<std::size_t>((t * 5 + b) * 3 + c);
            const Size own = t - (5 - n);
            const double wanted =
                own < 0 ? 0 : expected[static_cast<std::size_t>((own * 5 + b) * 3 + c)];
            BOOST_TEST(std::abs(got[at] - wanted) <= 1e-15);
            BOOST_TEST(std::abs(added[at] - 2 * wanted) <= 1e-15);
          }
        }
      }
    }
  }
  BOOST_CHECK_EXCEPTION(
      rw::ctc_loss(clean, behind, {}, {integers({2, 2, 2, 1, 2}), rw::Padding::before}),
      rw::ShapeError, says("target -7 at [0, 1]"));
}

BOOST_AUTO_TEST_CASE(gradients_of_gradients_see_no_padding) {
  const std::vector<Labels> batch = {{1, 1}, {1, 1}, {2}};
  Tensor x = Values(5).uniform({4, 3, 3}, -1, 1);
  for (Size c = 0; c < 3; ++c) {
    x.mutable_data<double>()[(3 * 3 + 2) * 3 + c] = nan_value;
  }
  rw::Tape tape;
  const Tensor watched = tape.watch(x);
  // The second sequence cannot be spelled.
  const Tensor value = rw::ctc_loss(watched, columns(batch), integers({4, 2, 3}), lengths_of(batch),
                                    {.zero_infinity = true});
  const Tensor first = tape.gradient(value, {watched}, {.create_graph = true})[0];
  const Numbers second = numbers(tape.gradient(sum(first * first), {watched})[0]);
  for (std::size_t i = 0; i < second.size(); ++i) {
    const std::size_t t = i / 9;
    const std::size_t b = i / 3 % 3;
    BOOST_TEST(std::isfinite(second[i]));
    const bool outside = b == 1 || (b == 2 && t == 3);
    BOOST_TEST((second[i] == 0) == outside, "element " << i << " is " << second[i]);
  }
}

BOOST_AUTO_TEST_CASE(log_probabilities_do_as_well_as_logits) {
  const Tensor x = Values(6).uniform({6, 2, 4}, -3, 3);
  const Loss f = [](const Tensor& v) { return rw::ctc_loss(v, columns({{1, 3}, {2, 2}}), {}, {}); };
  const Loss g = [&](const Tensor& v) { return f(rw::log_softmax(v)); };
  check_near(numbers(g(x)), numbers(f(x)), 1e-14);
  check_near(gradient_of(x, g), gradient_of(x, f), 1e-14);
}

BOOST_AUTO_TEST_CASE(empty_batches_and_sequences) {
  const Tensor none = Tensor::from<Size>({0, 2}, Labels{});
  for (const Reduction reduction : {Reduction::sum, Reduction::mean}) {
    BOOST_TEST(rw::ctc_loss(rw::zeros({0, 2, 3}), none, {}, {}, {0, reduction}).item() == 0);
    BOOST_TEST(rw::ctc_loss(rw::zeros({4, 0, 3}), Tensor::from<Size>({2, 0}, Labels{}), {}, {},
                            {0, reduction})
                   .item() == 0);
  }
  const auto each = [](const Tensor& x, const std::vector<Labels>& labels) {
    return numbers(rw::ctc_loss(x, columns(labels), {}, lengths_of(labels), {0, Reduction::none}));
  };
  check_near(each(rw::zeros({0, 2, 3}), {{}, {1}}), {0, infinity}, 0);
  check_near(each(rw::zeros({3, 1, 4}), {{}}), {3 * std::log(4)}, 1e-6);
  BOOST_TEST(gradient_of(rw::zeros({0, 2, 3}), [&](const Tensor& v) {
               return rw::ctc_loss(v, none, {}, {});
             }).elements() == 0);
  // Only the blank: certain, and exactly so.
  check_near(each(rw::full({3, 1, 1}, 0.7), {{}}), {0}, 0);
}

BOOST_AUTO_TEST_CASE(extreme_logits) {
  // Sharp and right: exactly 0, not less; sharp and wrong: finite.
  const Tensor x = Tensor::from<float>({3, 1, 3}, {0, 1e4f, 0, 1e4f, 0, 0, 0, 1e4f, 0});
  const Loss right = [](const Tensor& v) { return rw::ctc_loss(v, columns({{1, 1}}), {}, {}); };
  const Loss wrong = [](const Tensor& v) { return rw::ctc_loss(v, columns({{2, 2}}), {}, {}); };
  BOOST_TEST(right(x).item() == 0);
  check_near(gradient_of(x, right), Numbers(9), 0);
  // One path, 2 blank 2; the mean is over two labels.
  BOOST_TEST(wrong(x).item() == 1e4f);
  check_near(gradient_of(x, wrong), {0, 0.5, -0.5, 0, 0, 0, 0, 0.5, -0.5}, 1e-7);

  // Impossible classes, as log-probabilities.
  const auto gone = -std::numeric_limits<float>::infinity();
  const Tensor masked = Tensor::from<float>({2, 1, 3}, {gone, 0, gone, 0, gone, gone});
  BOOST_TEST(rw::ctc_loss(masked, columns({{1}}), {}, {}).item() == 0);
  BOOST_TEST(rw::ctc_loss(masked, columns({{2}}), {}, {}).item() == infinity);
  check_near(
      gradient_of(masked, [](const Tensor& v) { return rw::ctc_loss(v, columns({{1}}), {}, {}); }),
      Numbers(6), 0);

  // A NaN is not lost, wherever it is.
  for (int i = 0; i < 9; ++i) {
    Tensor bad = x.clone();
    bad.mutable_data<float>()[i] = std::numeric_limits<float>::quiet_NaN();
    BOOST_TEST(std::isnan(right(bad).item()));
    BOOST_TEST(std::isnan(numbers(gradient_of(bad, right))[static_cast<std::size_t>(i)]));
  }
}

BOOST_AUTO_TEST_CASE(long_float32_sequences_keep_their_digits) {
  rw::Rng rng(7);
  const Tensor x = rng.normal({1500, 1, 20}, 0, 2);
  Labels labels;
  for (Size i = 0; i < 200; ++i) {
    labels.push_back(1 + i * i % 19);
  }
  const Loss f = [&](const Tensor& v) {
    return rw::ctc_loss(v, columns({labels}), {}, {}, {.reduction = Reduction::sum});
  };
  const double exact = f(x.to(DType::float64)).item();
  BOOST_TEST(exact > 1000);
  BOOST_TEST(std::abs(f(x).item() / exact - 1) < 1e-6);
  check_near(gradient_of(x, f), gradient_of(x.to(DType::float64), f), 1e-5);
}

BOOST_AUTO_TEST_CASE(strided_arguments) {
  rw::Rng rng(8);
  const Tensor wide = rng.normal({5, 2, 9}, 0, 2);
  const Tensor narrow = rw::slice(wide, 2, 3, 7);
  const Tensor labels = Tensor::from<Size>({2, 4}, {0, 1, 2, 0, 0, 3, 3, 0});
  const Tensor middle = rw::slice(labels, 1, 1, 3);
  const auto with = [](const Tensor& t) -> Loss {
    return [t](const Tensor& v) { return rw::ctc_loss(v, t, {}, {}); };
  };
  check_near(numbers(with(middle)(narrow)), numbers(with(middle.clone())(narrow.clone())), 0);
  check_near(gradient_of(narrow, with(middle)), gradient_of(narrow.clone(), with(middle.clone())),
             0);
}

BOOST_AUTO_TEST_CASE(a_warm_step_takes_nothing_from_the_heap) {
  rw::Rng rng(9);
  const rw::Parameter x(rng.normal({20, 3, 6}, 0, 1));
  const Tensor targets = columns({{1, 2, 2}, {5}, {3, 1}});
  const Tensor steps = integers({20, 4, 11});
  const Tensor counts = integers({3, 1, 2});
  std::int64_t count = -1;
  for (int step = 0; step < 4; ++step) {
    const std::int64_t before = heap_allocations;
    {
      rw::Tape tape;
      tape.backward(rw::ctc_loss(x, targets, steps, counts));
    }
    count = heap_allocations - before;
  }
  BOOST_TEST(count == 0);
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = rw::zeros({4, 2, 3});
  const Tensor good = columns({{1}, {2}});
  const auto loss = [&](const Tensor& targets, const Tensor& steps = {}, const Tensor& counts = {},
                        const CtcOptions& options = {}) {
    return rw::ctc_loss(x, targets, steps, counts, options);
  };
  BOOST_CHECK_EXCEPTION(loss(columns({{1}, {3}})), rw::ShapeError,
                        says("ctc_loss: target 3 at [0, 1] is not a label, expected one in [0, 3) "
                             "other than the blank 0"));
  BOOST_CHECK_EXCEPTION(loss(columns({{1, 0}, {2, 1}})), rw::ShapeError,
                        says("target 0 at [1, 0]"));
  BOOST_CHECK_EXCEPTION(loss(columns({{-1}, {2}})), rw::ShapeError, says("target -1"));
  BOOST_CHECK_EXCEPTION(loss(good, integers({4, 5})), rw::ShapeError,
                        says("ctc_loss: input_lengths[1] = 5 is outside [0, 4]"));
  BOOST_CHECK_EXCEPTION(loss(good, {}, integers({-1, 1})), rw::ShapeError,
                        says("ctc_loss: target_lengths[0] = -1 is outside [0, 1]"));
  BOOST_CHECK_EXCEPTION(loss(good, integers({4})), rw::ShapeError, says("[1], expected [2]"));
  BOOST_CHECK_EXCEPTION(loss(columns({{1}, {2}, {1}})), rw::ShapeError, says("[1, 3]"));
  BOOST_CHECK_EXCEPTION(loss(integers({1, 2})), rw::ShapeError, says("expected [S, 2]"));
  BOOST_CHECK_EXCEPTION(loss(good, {}, {}, {.blank = 3}), rw::ShapeError, says("blank 3"));
  BOOST_CHECK_THROW(loss(good, {}, {}, {.blank = -1}), rw::ShapeError);
  BOOST_CHECK_EXCEPTION(loss(good, rw::zeros({2})), rw::UsageError, says("float32"));
  BOOST_CHECK_THROW(loss(rw::zeros({1, 2})), rw::UsageError);
  BOOST_CHECK_THROW(rw::ctc_loss(good, good, {}, {}), rw::UsageError);
  BOOST_CHECK_THROW(rw::ctc_loss(rw::zeros({4, 3}), good, {}, {}), rw::ShapeError);
}
