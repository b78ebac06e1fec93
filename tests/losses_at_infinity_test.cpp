// Losses with an infinite score, log-probability or difference: 0 log 0 is 0 in values, gradients
// and gradients of gradients.

#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/ctc.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/losses/sequence_losses.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/closeness.hpp"
#include "support/gradient_of.hpp"

namespace {

using namespace rw::testing;
using rw::DType;
using rw::Reduction;
using rw::Shape;
using rw::Tensor;
using Size = std::int64_t;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Value, gradient by the plain and the recorded rule, and the gradient of the sum of the squared
/// gradient.
struct Orders {
  Numbers value;
  Numbers plain;
  Numbers recorded;
  Numbers second;
};
Orders orders_of(const Tensor& x, const Loss& f) {
  rw::Tape tape;
  const Tensor watched = tape.watch(x);
  const Tensor y = f(watched);
  Orders orders{numbers(y), {}, {}, {}};
  const Tensor loss = sum(y);
  orders.plain = numbers(tape.gradient(loss, {watched}, {.retain = true})[0]);
  const Tensor first = tape.gradient(loss, {watched}, {.create_graph = true})[0];
  orders.recorded = numbers(first);
  orders.second = numbers(tape.gradient(sum(square(first)), {watched})[0]);
  return orders;
}

void check_orders(const Orders& got, const Orders& expected, double tolerance) {
  check_near(got.value, expected.value, tolerance);
  check_near(got.plain, expected.plain, tolerance);
  check_near(got.recorded, expected.recorded, tolerance);
  check_near(got.second, expected.second, tolerance);
}

/// [..., C] with a class added in front, whose value is `first` everywhere.
Tensor with_class(const Tensor& x, double first) {
  return rw::concat({rw::full(x.shape().with(-1, 1), first, x.dtype()), x}, -1);
}

Numbers with_zeros(const Numbers& x, Size columns) {
  return numbers(
      with_class(Tensor::from<double>({static_cast<Size>(x.size()) / columns, columns}, x), 0));
}

/// A loss of scores whose first class is masked equals the loss of the other classes.
void check_masked(const Tensor& x, const Loss& masked, const Loss& others, double tolerance) {
  Orders expected = orders_of(x, others);
  expected.plain = with_zeros(expected.plain, x.columns());
  expected.recorded = with_zeros(expected.recorded, x.columns());
  expected.second = with_zeros(expected.second, x.columns());
  check_orders(orders_of(with_class(x, -infinity), masked), expected, tolerance);
}

constexpr std::initializer_list<Reduction> reductions = {Reduction::none, Reduction::sum,
                                                         Reduction::mean};

}  // namespace

BOOST_AUTO_TEST_CASE(masked_classes_cost_nothing) {
  const Tensor logits = row_of<double>({-infinity, 0, 0});
  for (const DType dtype : {DType::float64, DType::float32}) {
    const Tensor x = logits.to(dtype);
    const Tensor q = row_of<double>({0, 1, 0}).to(dtype);
    const Tensor weights = vector_of<double>({0, 1, 1}).to(dtype);
    const double log2 = std::log(2.0);
    BOOST_TEST(std::abs(rw::cross_entropy(x, q).item() - log2) < 1e-7);
    BOOST_TEST(std::abs(rw::cross_entropy(x, integers({1})).item() - log2) < 1e-7);
    const double smoothed = (0.9 + 0.1 * 2 / 3) * log2;
    const rw::CrossEntropyOptions options{.weights = weights, .label_smoothing = 0.1};
    BOOST_TEST(std::abs(rw::cross_entropy(x, integers({1}), options).item() - smoothed) < 1e-7);
    BOOST_TEST(std::abs(rw::cross_entropy(x, q, options).item() - smoothed) < 1e-7);
    // The target itself is masked, with weight 0.
    BOOST_TEST(
        rw::cross_entropy(x, integers({0}), {.weights = weights, .reduction = Reduction::sum})
            .item() == 0);
    BOOST_TEST(rw::nll(rw::log_softmax(x), integers({0}), {.weights = weights}).item() == 0);
    // With a weight, the loss is infinite.
    BOOST_TEST(rw::cross_entropy(x, integers({0})).item() == infinity);
    BOOST_TEST(rw::cross_entropy(x, row_of<double>({0.5, 0.5, 0}).to(dtype)).item() == infinity);
    BOOST_TEST(rw::cross_entropy(x, integers({1}), {.label_smoothing = 0.1}).item() == infinity);
    // A NaN is not hidden by a weight of 0.
    const Tensor bad = row_of<double>({std::nan(""), 0, 0}).to(dtype);
    BOOST_TEST(std::isnan(
        rw::cross_entropy(bad, integers({0}), {.weights = weights, .reduction = Reduction::sum})
            .item()));
    BOOST_TEST(std::isnan(rw::cross_entropy(bad, q, {.weights = weights}).item()));
  }
}

BOOST_AUTO_TEST_CASE(masked_classes_leave_the_others_alone) {
  const Tensor x = Tensor::from<double>({4, 3}, {0, 0.5, -1, 2, 2, 2, 0, 0, 0, -3, 1, 40});
  const Tensor q =
      Tensor::from<double>({4, 3}, {0.2, 0.8, 0, 1, 0, 0, 0.25, 0.25, 0.5, 0, 0.1, 0.9});
  const Tensor weights = vector_of<double>({0.5, 1, 2});
  const Tensor targets = Tensor::from<Size>({4}, {1, 0, -100, 2});
  const Tensor moved = Tensor::from<Size>({4}, {2, 1, -100, 3});
  for (const Reduction reduction : reductions) {
    for (const bool weighted : {false, true}) {
      const Tensor w = weighted ? weights : Tensor();
      const Tensor wide =
          weighted ? rw::concat({rw::zeros({1}, DType::float64), weights}, 0) : Tensor();
      check_masked(
          x,
          [&](const Tensor& v) {
            return rw::cross_entropy(v, moved, {.weights = wide, .reduction = reduction});
          },
          [&](const Tensor& v) {
            return rw::cross_entropy(v, targets, {.weights = w, .reduction = reduction});
          },
          1e-14);
      check_masked(
          x,
          [&](const Tensor& v) {
            return rw::cross_entropy(v, with_class(q, 0),
                                     {.weights = wide, .reduction = reduction});
          },
          [&](const Tensor& v) {
            return rw::cross_entropy(v, q, {.weights = w, .reduction = reduction});
          },
          1e-14);
      // Both arguments of the loss; the targets are the softmax of other scores.
      const Loss both = [&](const Tensor& v) {
        return rw::cross_entropy(v, rw::softmax(v * 0.5 + 1), {w, -100, 0, reduction});
      };
      const Loss both_masked = [&](const Tensor& v) {
        return rw::cross_entropy(v, rw::softmax(v * 0.5 + 1), {wide, -100, 0, reduction});
      };
      check_masked(x, both_masked, both, 1e-13);
      check_masked(
          x,
          [&](const Tensor& v) {
            return rw::nll(rw::log_softmax(v), moved, {.weights = wide, .reduction = reduction});
          },
          [&](const Tensor& v) {
            return rw::nll(rw::log_softmax(v), targets, {.weights = w, .reduction = reduction});
          },
          1e-14);
    }
    if (reduction != Reduction::mean) {
      const auto divergence = [&](const Tensor& v) {
        return sum(rw::kl_div(rw::log_softmax(v), rw::softmax(v * 0.5 + 1), Reduction::none), {-1});
      };
      check_masked(x, divergence, divergence, 1e-13);
    }
  }
  const Tensor steps = reshape(x, {2, 2, 3});
  const auto sequences = [](const Tensor& y) -> Loss {
    return [y](const Tensor& v) {
      return rw::sequence_cross_entropy(v, y, Tensor::from<Size>({2}, {2, 1}));
    };
  };
  check_masked(steps, sequences(reshape(moved, {2, 2})), sequences(reshape(targets, {2, 2})),
               1e-14);
  // Here the masked class is the last, because the blank is the first.
  const auto alignments = [&](const Tensor& v) {
    return rw::ctc_loss(flip(v, {-1}), Tensor::from<Size>({1, 2}, {1, 2}), {}, {});
  };
  check_masked(steps, alignments, alignments, 1e-13);
}

BOOST_AUTO_TEST_CASE(certain_logits_that_are_right) {
  const Tensor x = vector_of<double>({infinity, -infinity, infinity, -infinity, 0});
  const Tensor y = vector_of<double>({1, 0, 0, 1, 0.25});
  for (const Tensor& weight : {Tensor(), Tensor::from<double>({1}, Numbers{3})}) {
    const double w = weight.defined() ? 3 : 1;
    const auto f = [&](const Tensor& a, const Tensor& b) {
      return rw::bce_with_logits(a, b, {.pos_weight = weight, .reduction = Reduction::none});
    };
    // -w y log s(0) - (1 - y) log(1 - s(0)), with the gradient (1 - y) s - w y (1 - s).
    const double middle = (0.25 * w + 0.75) * std::log(2.0);
    const double slope = (0.75 - 0.25 * w) / 2;
    check_near(numbers(f(x, y)), {0, 0, infinity, infinity, middle}, 1e-15);
    const Orders by_logits = orders_of(x, [&](const Tensor& v) { return f(v, y); });
    check_near(by_logits.plain, {0, 0, 1, -w, slope}, 1e-15);
    check_near(by_logits.recorded, {0, 0, 1, -w, slope}, 1e-15);
    check_near(by_logits.second, {0, 0, 0, 0, 2 * slope * (0.75 + 0.25 * w) / 4}, 1e-15);
    const Tensor right = slice(x, 0, 0, 2);
    const Orders by_targets =
        orders_of(slice(y, 0, 0, 2), [&](const Tensor& v) { return f(right, v); });
    check_near(by_targets.plain, {0, 0}, 0);
    check_near(by_targets.recorded, {0, 0}, 0);
    check_near(by_targets.second, {0, 0}, 0);
  }
  BOOST_TEST(rw::bce_with_logits(slice(x, 0, 0, 2), slice(y, 0, 0, 2)).item() == 0);
  const Tensor narrow = slice(x, 0, 0, 2).to(DType::float32);
  BOOST_TEST(rw::bce_with_logits(narrow, slice(y, 0, 0, 2).to(DType::float32)).item() == 0);
  // A certain target with a finite logit: the mixed derivative is still -1.
  rw::Tape tape;
  const Tensor logit = tape.watch(vector_of<double>({2, -2}));
  const Tensor target = tape.watch(vector_of<double>({1, 0}));
  const Tensor loss = rw::bce_with_logits(logit, target, {.reduction = Reduction::sum});
  const auto first = tape.gradient(loss, {logit, target}, {.create_graph = true});
  check_near(numbers(tape.gradient(sum(first[0]), {target}, {.retain = true})[0]), {-1, -1}, 1e-15);
  check_near(numbers(tape.gradient(sum(first[1]), {logit})[0]), {-1, -1}, 1e-15);
}

BOOST_AUTO_TEST_CASE(huber_without_a_limit) {
  for (const DType dtype : {DType::float64, DType::float32}) {
    const Tensor zero = rw::zeros({2}, dtype);
    const auto f = [&](double delta) -> Loss {
      return [=](const Tensor& v) { return rw::huber(v, zero, delta, Reduction::none); };
    };
    const Orders square = orders_of(vector_of<double>({3, -1}).to(dtype), f(infinity));
    check_near(square.value, {4.5, 0.5}, 0);
    check_near(square.plain, {3, -1}, 0);
    check_near(square.recorded, {3, -1}, 0);
    check_near(square.second, {6, -2}, 0);
    // Errors of any size have the gradient delta.
    const Orders far = orders_of(vector_of<double>({infinity, -infinity}).to(dtype), f(0.5));
    check_near(far.value, {infinity, infinity}, 0);
    check_near(far.plain, {0.5, -0.5}, 0);
    check_near(far.recorded, {0.5, -0.5}, 0);
    check_near(far.second, {0, 0}, 0);
    const Orders kinks = orders_of(vector_of<double>({0.5, 0}).to(dtype), f(0.5));
    check_near(kinks.value, {0.125, 0}, 0);
    check_near(kinks.plain, {0.5, 0}, 0);
    check_near(kinks.second, {1, 0}, 0);
  }
  // The square of the error overflows although half of it would not; beyond delta nothing is
  // squared.
  const Tensor big = Tensor::from<float>({2}, {2e19F, -2e19F});
  const Tensor zero = rw::zeros({2});
  BOOST_TEST(std::abs(rw::huber(big, zero, infinity).item() / 2e38 - 1) < 1e-6);
  BOOST_TEST(std::abs(rw::huber(big * 1e18, zero, 2).item() / 4e37 - 1) < 1e-6);
}
