// Losses over padded batches of sequences: equal to the losses of the sequences alone, whatever the
// padding holds.

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/losses/sequence_losses.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "support/closeness.hpp"
#include "support/counted_allocations.hpp"
#include "support/gradient_of.hpp"
#include "support/messages.hpp"
#include "support/padded.hpp"

namespace {

using namespace rw::testing;
using rw::DType;
using rw::Reduction;
using rw::SequenceReduction;
using rw::Shape;
using rw::Tensor;

constexpr Size steps = 6;
constexpr Size batch = 5;
constexpr Size classes = 4;
constexpr Size ignored = -100;
const std::vector<Size> length_values = {6, 2, 0, 5, 1};

constexpr std::initializer_list<SequenceReduction> reductions = {
    SequenceReduction::none, SequenceReduction::sum, SequenceReduction::token_mean,
    SequenceReduction::sequence_mean};

Tensor lengths() { return Tensor::from<Size>({batch}, length_values); }

Tensor logits(DType dtype = DType::float64) {
  rw::Rng rng(1);
  return rng.normal({steps, batch, classes}, 0, 2, dtype);
}

/// Labels; if `every` is not 0, each `every`th is ignored.
Tensor targets(Size every = 0) {
  std::vector<Size> values;
  for (Size i = 0; i < steps * batch; ++i) {
    values.push_back(every > 0 && i % every == 0 ? ignored : i * i % classes);
  }
  return Tensor::from<Size>({steps, batch}, values);
}

Size length_of(Size b) { return length_values[static_cast<std::size_t>(b)]; }

/// A loss of a batch, and the same loss of one sequence alone with a plain reduction.
struct Case {
  std::function<Tensor(const Tensor& x, SequenceReduction)> batched;
  std::function<Tensor(const Tensor& x, Size b, Reduction)> alone;
  Tensor x;
};

std::vector<Case> cases(DType dtype) {
  rw::Rng rng(2);
  std::vector<Case> all;
  const Tensor weights =
      Tensor::from<double>({classes}, std::vector<double>{0.5, 1, 2, 0.25}).to(dtype);
  for (const Size every : {Size{0}, Size{3}}) {
    for (const bool weighted : {false, true}) {
      for (const double smoothing : {0.0, 0.2}) {
        const Tensor w = weighted ? weights : Tensor();
        const Tensor y = targets(every);
        all.push_back({[=](const Tensor& x, SequenceReduction reduction) {
                         return rw::sequence_cross_entropy(
                             x, y, lengths(),
                             {.weights = w, .label_smoothing = smoothing, .reduction = reduction});
                       },
                       [=](const Tensor& x, Size b, Reduction reduction) {
                         return rw::cross_entropy(
                             x, alone(y, b, length_of(b)),
                             {.weights = w, .label_smoothing = smoothing, .reduction = reduction});
                       },
                       logits(dtype)});
      }
    }
  }
  for (const Shape& shape : {Shape{steps, batch}, {steps, batch, 3}, {steps, batch, 2, 2}}) {
    const Tensor y = rng.normal(shape, 0, 1, dtype);
    const Tensor x = rng.normal(shape, 0, 1, dtype);
    all.push_back({[=](const Tensor& v, SequenceReduction reduction) {
                     return rw::sequence_mse(v, y, lengths(), reduction);
                   },
                   [=](const Tensor& v, Size b, Reduction reduction) {
                     return rw::mse(v, alone(y, b, length_of(b)), reduction);
                   },
                   x});
    all.push_back(
        {[=](const Tensor& v, SequenceReduction reduction) {
           return rw::sequence_reduce(
               rw::l1(rw::mask_steps(v, lengths()), rw::mask_steps(y, lengths()), Reduction::none),
               lengths(), reduction);
         },
         [=](const Tensor& v, Size b, Reduction reduction) {
           return rw::l1(v, alone(y, b, length_of(b)), reduction);
         },
         x});
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_batch_equals_its_sequences_alone) {
  for (const DType dtype : {DType::float64, DType::float32}) {
    const double tolerance = dtype == DType::float64 ? 1e-13 : 1e-5;
    for (const Case& c : cases(dtype)) {
      double sum = 0;
      double mean = 0;
      int counted = 0;
      const Numbers each = numbers(c.batched(c.x, SequenceReduction::none));
      const Size width = static_cast<Size>(each.size()) / (steps * batch);
      for (Size b = 0; b < batch; ++b) {
        const Tensor x = alone(c.x, b, length_of(b));
        sum += c.alone(x, b, Reduction::sum).item();
        const Numbers terms = numbers(c.alone(x, b, Reduction::none));
        for (Size t = 0; t < steps; ++t) {
          for (Size i = 0; i < width; ++i) {
            const double expected =
                t >= length_of(b) ? 0 : terms[static_cast<std::size_t>(t * width + i)];
            BOOST_TEST(each[static_cast<std::size_t>((t * batch + b) * width + i)] == expected);
          }
        }
        // Sequence 2 has no steps.
        if (b != 2) {
          mean += c.alone(x, b, Reduction::mean).item();
          ++counted;
        }
      }
      BOOST_TEST(std::abs(c.batched(c.x, SequenceReduction::sum).item() - sum) <= tolerance * 20);
      BOOST_TEST(std::abs(c.batched(c.x, SequenceReduction::sequence_mean).item() -
                          mean / counted) <= tolerance * 5);
    }
  }
}

BOOST_AUTO_TEST_CASE(token_means) {
  const auto mean = [](Size every) {
    const Tensor y = targets(every);
    double sum = 0;
    int tokens = 0;
    for (Size b = 0; b < batch; ++b) {
      for (Size t = 0; t < length_of(b); ++t) {
        const Tensor one = rw::select(rw::select(y, 0, t), 0, b);
        sum += rw::cross_entropy(rw::select(rw::select(logits(), 0, t), 0, b), one,
                                 {.reduction = Reduction::sum})
                   .item();
        tokens += static_cast<Size>(one.item()) == ignored ? 0 : 1;
      }
    }
    return sum / tokens;
  };
  for (const Size every : {Size{0}, Size{3}}) {
    const double got = rw::sequence_cross_entropy(logits(), targets(every), lengths()).item();
    BOOST_TEST(std::abs(got - mean(every)) < 1e-13);
  }
  const Tensor x = rw::full({steps, batch, 3}, 2.0, DType::float64);
  BOOST_TEST(std::abs(rw::sequence_mse(x, rw::zeros_like(x), lengths()).item() - 4) < 1e-14);
}

BOOST_AUTO_TEST_CASE(padding_changes_nothing) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double nan_value = std::numeric_limits<double>::quiet_NaN();
  for (const Case& c : cases(DType::float64)) {
    for (const SequenceReduction reduction : reductions) {
      const Loss f = [&](const Tensor& x) { return c.batched(x, reduction); };
      const Tensor clean = spoiled(c.x, length_values, 0.0);
      const Numbers value = numbers(f(clean));
      const Numbers gradient = numbers(gradient_of(clean, f));
      const Size width = clean.elements() / (steps * batch);
      for (Size i = 0; i < clean.elements(); ++i) {
        const Size row = i / width;
        if (row / batch >= length_of(row % batch)) {
          BOOST_TEST(gradient[static_cast<std::size_t>(i)] == 0);
        }
      }
      for (const double garbage : {nan_value, infinity, -infinity, 1e300}) {
        const Tensor dirty = spoiled(c.x, length_values, garbage);
        check_near(numbers(f(dirty)), value, 0);
        check_near(gradient_of(dirty, f), gradient, 0);
        check_near(gradient_of(dirty, f, true), gradient, 1e-14);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(padded_targets_are_never_read) {
  for (const SequenceReduction reduction : reductions) {
    const auto f = [&](const Tensor& y) {
      return numbers(rw::sequence_cross_entropy(logits(), y, lengths(), {.reduction = reduction}));
    };
    const Numbers expected = f(targets());
    for (const Size garbage : {Size{-1}, classes, ignored, std::numeric_limits<Size>::max()}) {
      check_near(f(spoiled(targets(), length_values, garbage)), expected, 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(nan_targets_of_a_regression) {
  const Tensor x = logits();
  const Tensor y =
      spoiled(rw::zeros_like(x), length_values, std::numeric_limits<double>::quiet_NaN());
  for (const SequenceReduction reduction : reductions) {
    const auto f = [&](const Tensor& target) {
      return rw::sequence_mse(x, target, lengths(), reduction);
    };
    check_near(numbers(f(y)), numbers(f(rw::zeros_like(x))), 0);
    check_near(gradient_of(y, f), gradient_of(rw::zeros_like(x), f), 0);
  }
}

/// x [T, B, ...] with each sequence's own steps at the end; `value` before them.
template <class T>
Tensor at_the_end(const Tensor& x, T value) {
  Tensor result = rw::full(x.shape(), 0, x.dtype());
  const Size width = x.elements() / (x.size(0) * x.size(1));
  T* const to = result.mutable_data<T>();
  std::fill_n(to, x.elements(), value);
  for (Size b = 0; b < x.size(1); ++b) {
    const Size length = length_of(b);
    for (Size t = 0; t < length; ++t) {
      std::copy_n(x.data<T>() + (t * x.size(1) + b) * width, width,
                  to + ((x.size(0) - length + t) * x.size(1) + b) * width);
    }
  }
  return result;
}

/// The parts of a Sequence that say where the padding is.
struct Padded {
  Tensor lengths;
  rw::Padding padding;
};

BOOST_AUTO_TEST_CASE(padding_may_stand_in_front) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = logits();
  const Tensor other = rw::Rng(4).normal(x.shape(), 0, 1, DType::float64);
  const Tensor labels = targets(4);
  const auto all = [&](const Tensor& y, const Tensor& t, const rw::Lengths& l,
                       SequenceReduction reduction) -> std::vector<Loss> {
    return {
        [=](const Tensor& v) {
          return rw::sequence_cross_entropy(v, t, l, {.reduction = reduction});
        },
        [=](const Tensor& v) { return rw::sequence_mse(v, y, l, reduction); },
        [=](const Tensor& v) { return rw::mask_steps(v, l); },
        [=](const Tensor& v) { return rw::sequence_reduce(v, l, reduction); },
    };
  };
  for (const SequenceReduction reduction : reductions) {
    const auto behind = all(other, labels, lengths(), reduction);
    const auto in_front = all(at_the_end(other, nan), at_the_end<Size>(labels, 99),
                              Padded{lengths(), rw::Padding::before}, reduction);
    for (std::size_t i = 0; i < behind.size(); ++i) {
      const Tensor value = behind[i](x);
      const Tensor got = in_front[i](at_the_end(x, nan));
      // Close, not equal: the position of the zeros decides in which order 350 terms are summed.
      check_close(numbers(got), numbers(value.rank() == 0 ? value : at_the_end(value, 0.0)), 1e-14);
      for (const bool recorded : {false, true}) {
        const Tensor expected = gradient_of(x, behind[i], recorded);
        check_near(gradient_of(at_the_end(x, nan), in_front[i], recorded),
                   numbers(at_the_end(expected, 0.0)), 1e-14);
      }
    }
  }
  Tensor bad = at_the_end(labels, Size{99});
  bad.mutable_data<Size>()[(steps - 1) * batch + 1] = classes;
  BOOST_CHECK_EXCEPTION(rw::sequence_cross_entropy(x, bad, {lengths(), rw::Padding::before}),
                        rw::ShapeError,
                        says("sequence_cross_entropy: target 4 at [5, 1] is outside [0, 4)"));
}

// A sequence whose targets all have weight 0 has no mean, even if its terms are infinite.
BOOST_AUTO_TEST_CASE(sequences_that_weigh_nothing) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::from<double>({1, 2, 3}, {0, -infinity, 1, 0, 1, 2});
  const Tensor y = Tensor::from<Size>({1, 2}, {0, 2});
  const rw::SequenceLossOptions options{.weights = Tensor::from<double>({3}, {0, 1, 1}),
                                        .label_smoothing = 0.3,
                                        .reduction = SequenceReduction::sequence_mean};
  const Loss f = [&](const Tensor& v) { return rw::sequence_cross_entropy(v, y, {}, options); };
  const Loss alone = [&](const Tensor& v) {
    return rw::sequence_cross_entropy(v, rw::slice(y, 1, 1, 2), {}, options);
  };
  const Tensor second = rw::slice(x, 1, 1, 2);
  check_near(numbers(f(x)), numbers(alone(second)), 1e-15);
  for (const bool recorded : {false, true}) {
    Numbers expected = numbers(gradient_of(second, alone, recorded));
    expected.insert(expected.begin(), 3, 0.0);
    check_near(gradient_of(x, f, recorded), expected, 1e-15);
  }
}

BOOST_AUTO_TEST_CASE(padding_in_front_by_ignored_targets) {
  const Tensor x =
      Tensor::from<float>({3, 1, 2}, {std::numeric_limits<float>::quiet_NaN(), 0, 1, 2, -1, 0.5f});
  const Tensor y = Tensor::from<Size>({3, 1}, {ignored, 1, 0});
  const Tensor rest = rw::slice(x, 0, 1, 3);
  for (const SequenceReduction reduction :
       {SequenceReduction::sum, SequenceReduction::token_mean, SequenceReduction::sequence_mean}) {
    const auto f = [&](const Tensor& target) -> Loss {
      return [=](const Tensor& v) {
        return rw::sequence_cross_entropy(v, target, {}, {.reduction = reduction});
      };
    };
    const Loss whole = f(y);
    const Loss part = f(rw::slice(y, 0, 1, 3));
    check_near(numbers(whole(x)), numbers(part(rest)), 1e-7);
    for (const bool recorded : {false, true}) {
      Numbers expected = numbers(gradient_of(rest, part, recorded));
      expected.insert(expected.begin(), {0, 0});
      check_near(gradient_of(x, whole, recorded), expected, 1e-7);
    }
  }
}

// The recorded gradient of cross_entropy itself, if ignored rows hold arbitrary numbers.
BOOST_AUTO_TEST_CASE(second_order_of_ignored_rows) {
  Tensor x = logits();
  x = spoiled(x, length_values, std::numeric_limits<double>::quiet_NaN());
  rw::Tape tape;
  const Tensor watched = tape.watch(x);
  const Tensor loss = rw::sequence_cross_entropy(watched, targets(3), lengths());
  const Tensor first = tape.gradient(loss, {watched}, {.create_graph = true})[0];
  for (const double v : numbers(tape.gradient(sum(first * first), {watched})[0])) {
    BOOST_TEST(std::isfinite(v));
  }
}

BOOST_AUTO_TEST_CASE(batches_without_tokens) {
  const Tensor none = rw::zeros({batch}, DType::int64);
  const double nan_value = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = rw::full({steps, batch, classes}, nan_value, DType::float64);
  for (const SequenceReduction reduction : reductions) {
    const std::vector<Loss> losses = {
        [&](const Tensor& v) {
          return rw::sequence_cross_entropy(v, targets(), none, {.reduction = reduction});
        },
        [&](const Tensor& v) {
          return rw::sequence_cross_entropy(v, targets(1), {}, {.reduction = reduction});
        },
        [&](const Tensor& v) { return rw::sequence_mse(v, v, none, reduction); },
        [&](const Tensor& v) { return rw::sequence_reduce(v, none, reduction); },
    };
    for (const Loss& f : losses) {
      const Numbers value = numbers(f(x));
      check_near(value, Numbers(value.size()), 0);
      for (const bool recorded : {false, true}) {
        check_near(gradient_of(x, f, recorded), Numbers(steps * batch * classes), 0);
      }
    }
    for (const Shape& shape : {Shape{0, 3, 2}, {3, 0, 2}}) {
      const Tensor empty = rw::zeros(shape);
      BOOST_TEST(
          rw::sum(rw::sequence_cross_entropy(empty, rw::zeros(shape.without(-1), DType::int64), {},
                                             {.reduction = reduction}))
              .item() == 0);
      BOOST_TEST(rw::sum(rw::sequence_mse(empty, empty, {}, reduction)).item() == 0);
    }
    const Tensor no_features = rw::zeros({3, 2, 0});
    BOOST_TEST(rw::sum(rw::sequence_mse(no_features, no_features, {}, reduction)).item() == 0);
  }
}

BOOST_AUTO_TEST_CASE(nan_within_a_sequence_is_not_lost) {
  for (const Case& c : cases(DType::float64)) {
    Tensor x = c.x.clone();
    // Step 1 of sequence 0, whose target always counts.
    const Size width = x.elements() / (steps * batch);
    x.mutable_data<double>()[batch * width] = std::numeric_limits<double>::quiet_NaN();
    for (const SequenceReduction reduction : reductions) {
      BOOST_TEST(std::isnan(rw::sum(c.batched(x, reduction)).item()));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_warm_step_takes_nothing_from_the_heap) {
  const rw::Parameter x(logits(DType::float32));
  const Tensor other = logits(DType::float32);
  const Tensor y = targets(3);
  const Tensor l = lengths();
  for (const SequenceReduction reduction : reductions) {
    std::int64_t count = -1;
    for (int step = 0; step < 4; ++step) {
      const std::int64_t before = heap_allocations;
      {
        rw::Tape tape;
        tape.backward(sum(rw::sequence_cross_entropy(x, y, l, {.reduction = reduction})) +
                      sum(rw::sequence_mse(x, other, l, reduction)));
      }
      count = heap_allocations - before;
    }
    BOOST_TEST(count == 0);
  }
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = logits();
  const auto with = [&](const Tensor& y, const Tensor& l) {
    return rw::sequence_cross_entropy(x, y, l);
  };
  const auto of = [](std::vector<Size> values) {
    return Tensor::from<Size>({static_cast<Size>(values.size())}, values);
  };
  BOOST_CHECK_EXCEPTION(with(targets(), of({6, 2, 0, 7, 1})), rw::ShapeError,
                        says("sequence_cross_entropy: lengths[3] = 7 is outside [0, 6]"));
  BOOST_CHECK_EXCEPTION(with(targets(), of({6, -2, 0, 7, 1})), rw::ShapeError,
                        says("lengths[1] = -2"));
  BOOST_CHECK_EXCEPTION(with(targets(), of({6, 2})), rw::ShapeError, says("[2], expected [5]"));
  BOOST_CHECK_THROW(with(targets(), rw::zeros({batch})), rw::UsageError);
  Tensor bad = targets();
  bad.mutable_data<Size>()[3 * batch + 3] = classes;
  BOOST_CHECK_EXCEPTION(with(bad, lengths()), rw::ShapeError,
                        says("sequence_cross_entropy: target 4 at [3, 3] is outside [0, 4)"));
  BOOST_CHECK_THROW(with(rw::zeros({steps, batch}), lengths()), rw::UsageError);
  BOOST_CHECK_THROW(with(rw::zeros({batch, steps}, DType::int64), lengths()), rw::ShapeError);
  BOOST_CHECK_THROW(rw::sequence_cross_entropy(rw::zeros({4, 3}), targets(), {}), rw::ShapeError);
  BOOST_CHECK_THROW(rw::sequence_cross_entropy(rw::zeros({4, 3, 2}, DType::int64), targets(), {}),
                    rw::UsageError);
  BOOST_CHECK_EXCEPTION(rw::sequence_mse(x, rw::zeros({steps, batch}), {}), rw::ShapeError,
                        says("sequence_mse: the prediction is [6, 5, 4], the target [6, 5]"));
  BOOST_CHECK_EXCEPTION(rw::mask_steps(rw::zeros({3}), {}), rw::ShapeError, says("mask_steps"));
  BOOST_CHECK_THROW(rw::sequence_reduce(targets(), {}), rw::UsageError);
}
