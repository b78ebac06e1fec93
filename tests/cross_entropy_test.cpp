// Cross entropy and nll against a long-double reference, and their edge cases.

#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/as_columns.hpp"
#include "support/closeness.hpp"
#include "support/gradient_of.hpp"
#include "support/loss_reference.hpp"
#include "support/messages.hpp"
#include "support/numbers.hpp"
#include "support/random_tensors.hpp"

namespace {

using namespace rw::testing;
using namespace rw::testing::extremes;
using rw::DType;
using rw::Reduction;
using rw::Shape;
using rw::Tensor;

/// -sum_c w_c q_c log softmax(x)_c of each row, and the row's weight in a mean.
struct Terms {
  Numbers loss;
  Numbers weight;

  double reduced(Reduction reduction) const {
    double total = 0;
    double weights = 0;
    for (std::size_t i = 0; i < loss.size(); ++i) {
      total += loss[i];
      weights += weight[i];
    }
    return reduction == Reduction::sum ? total : total / weights;
  }
};
Terms cross_entropy_terms(const Tensor& x, const Tensor& targets, const Numbers& weights,
                          Size ignore, double smoothing) {
  const Numbers log_p = log_softmax_rows(x);
  const auto target = targets.to_vector<Size>();
  const auto classes = static_cast<std::size_t>(x.columns());
  Terms terms;
  for (std::size_t r = 0; r < target.size(); ++r) {
    const bool counts = target[r] != ignore;
    double loss = 0;
    for (std::size_t c = 0; counts && c < classes; ++c) {
      const double hit = static_cast<Size>(c) == target[r] ? 1 - smoothing : 0;
      loss -=
          weights[c] * (hit + smoothing / static_cast<double>(classes)) * log_p[r * classes + c];
    }
    terms.loss.push_back(loss);
    terms.weight.push_back(counts ? weights[static_cast<std::size_t>(target[r])] : 0);
  }
  return terms;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cross_entropy)

BOOST_AUTO_TEST_CASE(every_option_matches_the_reference) {
  for (const Shape& shape :
       {Shape{10}, Shape{1, 2}, Shape{32, 10}, Shape{5, 4, 33}, Shape{70, 129}}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor dense = random_tensor(shape, 3, -8, 8).to(dtype);
      const Tensor targets = random_targets(shape.without(-1), shape.columns());
      const Tensor weights = random_tensor(Shape{shape.columns()}, 4, 0.5f, 2.0f).to(dtype);
      const Numbers ones(static_cast<std::size_t>(shape.columns()), 1.0);
      const Size ignore = shape.rank() > 1 ? targets.to_vector<Size>().front() : -100;
      for (const bool weighted : {false, true}) {
        for (const double smoothing : {0.0, 0.1, 1.0}) {
          for (const Size ignored : {Size{-100}, ignore}) {
            const Terms terms = cross_entropy_terms(
                dense, targets, weighted ? numbers(weights) : ones, ignored, smoothing);
            rw::CrossEntropyOptions options;
            options.weights = weighted ? weights : Tensor();
            options.ignore_index = ignored;
            options.label_smoothing = smoothing;
            for (const Tensor& x : {dense, as_columns(dense)}) {
              options.reduction = Reduction::none;
              const Tensor each = rw::cross_entropy(x, targets, options);
              BOOST_CHECK(each.shape() == targets.shape());
              check_close(each, terms.loss, tolerance_of(x));
              options.reduction = Reduction::sum;
              check_close(rw::cross_entropy(x, targets, options), {terms.reduced(Reduction::sum)},
                          tolerance_of(x));
              options.reduction = Reduction::mean;
              const double mean = terms.reduced(Reduction::mean);
              check_close(rw::cross_entropy(x, targets, options), {std::isnan(mean) ? 0 : mean},
                          tolerance_of(x));
            }
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(both_rules_match_the_composed_loss) {
  const Shape shape{6, 21};
  const Tensor weights = random_tensor(Shape{21}, 4, 0.5f, 2.0f).to(DType::float64);
  const Tensor x = as_columns(random_tensor(shape).to(DType::float64));
  const Tensor targets = random_targets(Shape{6}, 21);
  const Size ignored = targets.to_vector<Size>()[2];
  for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
    for (const double smoothing : {0.0, 0.2}) {
      const rw::CrossEntropyOptions options{weights, ignored, smoothing, reduction};
      const auto fused = [&](const Tensor& v) { return rw::cross_entropy(v, targets, options); };
      const auto composed = [&](const Tensor& v) {
        const Tensor log_p = rw::log_softmax(v);
        const Tensor hit =
            rw::nll(log_p, targets, {weights, ignored, Reduction::none}) * (1 - smoothing);
        std::vector<double> counts;
        double total = 0;
        for (const Size t : targets.to_vector<Size>()) {
          counts.push_back(t == ignored ? 0 : 1);
          total += counts.back() * numbers(weights)[static_cast<std::size_t>(t)];
        }
        const Tensor spread = rw::sum(log_p * weights, {-1}) * (-smoothing / 21);
        const Tensor each = hit + spread * Tensor::from<double>(Shape{6}, counts);
        return reduction == Reduction::none  ? each
               : reduction == Reduction::sum ? rw::sum(each)
                                             : rw::sum(each) / total;
      };
      check_close(fused(x), numbers(composed(x)), 1e-13);
      const Numbers expected = numbers(gradients_of(x, composed).now);
      const GradientPair got = gradients_of(x, fused);
      check_close(got.now, expected, 1e-13);
      check_close(got.recorded, expected, 1e-13);
      const GradientPair added =
          gradients_of(x, [&](const Tensor& v) { return fused(v) + fused(v); });
      check_close(added.now * 0.5, expected, 1e-13);
      check_close(added.recorded * 0.5, expected, 1e-13);

      // The second derivative along one direction, through the recorded rule.
      const auto curvature = [&](const Loss& f) {
        rw::Tape tape;
        const Tensor v = tape.watch(x);
        const Tensor first = tape.gradient(rw::sum(f(v)), {v}, {.create_graph = true}).front();
        const Tensor along = random_tensor(shape, 11).to(DType::float64);
        return tape.gradient(rw::sum(first * along), {v}).front();
      };
      check_close(curvature(fused), numbers(curvature(composed)), 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(perfect_and_worst_predictions) {
  for (const float gap : {1e4f, 1e30f, largest}) {
    const Tensor x = row_of<float>({-gap / 2, gap / 2, -gap / 2});
    BOOST_CHECK_EQUAL(rw::cross_entropy(x, integers({1})).item(), 0.0);
    check_values(
        gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, integers({1})); }),
        {0, 0, 0});
    BOOST_CHECK_EQUAL(rw::cross_entropy(x, integers({0})).item(), static_cast<double>(gap));
    check_values(
        gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, integers({0})); }),
        {-1, 1, 0});
  }
  for (const float same : {largest, -largest, 1e4f, -1e4f}) {
    const Tensor x = row_of<float>({same, same, same, same});
    BOOST_CHECK_CLOSE(rw::cross_entropy(x, integers({2})).item(), std::log(4.0), 1e-5);
    check_values(
        gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, integers({2})); }),
        {0.25f, 0.25f, -0.75f, 0.25f});
  }
  const Tensor x = row_of<float>({largest, -largest});
  BOOST_CHECK_EQUAL(rw::cross_entropy(x, integers({0})).item(), 0.0);
  // The true loss is twice the largest number; its gradient is finite nevertheless.
  BOOST_CHECK_EQUAL(rw::cross_entropy(x, integers({1})).item(), infinity);
  check_values(gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, integers({1})); }),
               {1, -1});
  const Tensor masked = row_of<float>({-infinity, 2, -infinity});
  BOOST_CHECK_EQUAL(rw::cross_entropy(masked, integers({1})).item(), 0.0);
  BOOST_CHECK_EQUAL(rw::cross_entropy(masked, integers({0})).item(), infinity);
  BOOST_CHECK(
      std::isnan(rw::cross_entropy(row_of<float>({0, nan_value, 1}), integers({0})).item()));
  const Tensor many =
      rw::cross_entropy(random_tensor(Shape{500, 10}, 9, -40, 40), random_targets(Shape{500}, 10),
                        {.reduction = Reduction::none});
  for (const double v : numbers(many)) {
    BOOST_CHECK_GE(v, 0.0);
  }
}

BOOST_AUTO_TEST_CASE(single_class) {
  const Tensor x = random_tensor(Shape{4, 1});
  const Tensor targets = random_targets(Shape{4}, 1);
  BOOST_CHECK_EQUAL(rw::cross_entropy(x, targets).item(), 0.0);
  check_values(gradient_of(x, [&](const Tensor& v) { return rw::cross_entropy(v, targets); }),
               {0, 0, 0, 0});
}

BOOST_AUTO_TEST_CASE(nothing_to_learn_from) {
  const Tensor nobody = Tensor::from<Size>(Shape{0}, std::vector<Size>{});
  const Tensor none = rw::zeros(Shape{0, 5});
  for (const Reduction reduction : {Reduction::sum, Reduction::mean}) {
    BOOST_CHECK_EQUAL(rw::cross_entropy(none, nobody, {.reduction = reduction}).item(), 0.0);
    BOOST_CHECK_EQUAL(rw::cross_entropy(none, none, {.reduction = reduction}).item(), 0.0);
    BOOST_CHECK_EQUAL(rw::nll(none, nobody, {.reduction = reduction}).item(), 0.0);
    BOOST_CHECK_EQUAL(rw::mse(none, none, reduction).item(), 0.0);
    BOOST_CHECK_EQUAL(rw::kl_div(none, none, reduction).item(), 0.0);
  }
  BOOST_CHECK(rw::cross_entropy(none, none, {.reduction = Reduction::none}).shape() == Shape{0});
  BOOST_CHECK(gradient_of(none, [&](const Tensor& v) {
                return rw::cross_entropy(v, nobody);
              }).shape() == none.shape());

  const Tensor x = Tensor::from<float>(Shape{2, 2}, {1, nan_value, 3, 4});
  const Tensor ignored = Tensor::from<Size>(Shape{2}, {-100, -100});
  for (const Reduction reduction : {Reduction::sum, Reduction::mean}) {
    BOOST_CHECK_EQUAL(rw::cross_entropy(x, ignored, {.reduction = reduction}).item(), 0.0);
    BOOST_CHECK_EQUAL(rw::nll(x, ignored, {.reduction = reduction}).item(), 0.0);
    check_values(gradient_of(x,
                             [&](const Tensor& v) {
                               return rw::cross_entropy(v, ignored, {.reduction = reduction});
                             }),
                 {0, 0, 0, 0});
    check_values(
        gradient_of(x,
                    [&](const Tensor& v) { return rw::nll(v, ignored, {.reduction = reduction}); }),
        {0, 0, 0, 0});
  }
}

BOOST_AUTO_TEST_CASE(strided_targets_and_gradients) {
  const Tensor x = random_tensor(Shape{3, 2, 5});
  const Tensor wide = random_targets(Shape{3, 6}, 5);
  const Tensor targets = rw::slice(wide, -1, 1, 3);
  const Tensor dense = targets.clone();
  const auto each = [](const Tensor& t) {
    return [t](const Tensor& v) { return rw::cross_entropy(v, t, {.reduction = Reduction::none}); };
  };
  check_values(each(targets)(x), each(dense)(x).to_vector<float>());
  check_values(gradient_of(x, each(targets)), gradient_of(x, each(dense)).to_vector<float>());
  check_values(rw::nll(x, targets), rw::nll(x, dense).to_vector<float>());
}

BOOST_AUTO_TEST_CASE(probabilities) {
  const Shape shape{4, 3, 17};
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = as_columns(random_tensor(shape, 3).to(dtype));
    const Tensor q = rw::softmax(random_tensor(shape, 4)).to(dtype);
    const Tensor weights = random_tensor(Shape{17}, 6, 0.5f, 2.0f).to(dtype);
    for (const double smoothing : {0.0, 0.1}) {
      const Numbers log_p = log_softmax_rows(x);
      const Numbers shares = numbers(q);
      const Numbers factors = numbers(weights);
      Numbers plain(12), weighted(12);
      for (std::size_t i = 0; i < log_p.size(); ++i) {
        const double share = (1 - smoothing) * shares[i] + smoothing / 17;
        plain[i / 17] -= share * log_p[i];
        weighted[i / 17] -= share * log_p[i] * factors[i % 17];
      }
      rw::CrossEntropyOptions options;
      options.label_smoothing = smoothing;
      options.reduction = Reduction::none;
      const Tensor each = rw::cross_entropy(x, q, options);
      BOOST_CHECK(each.shape() == (Shape{4, 3}));
      check_close(each, plain, 2 * tolerance_of(x));
      options.weights = weights;
      check_close(rw::cross_entropy(x, q, options), weighted, 2 * tolerance_of(x));
      options.reduction = Reduction::mean;
      double total = 0;
      for (const double v : weighted) {
        total += v;
      }
      check_close(rw::cross_entropy(x, q, options), {total / 12}, 2 * tolerance_of(x));
      options.reduction = Reduction::sum;
      check_close(rw::cross_entropy(x, q, options), {total}, 2 * tolerance_of(x));
    }
  }
  const Tensor sharp = row_of<float>({0, 1e4f});
  BOOST_CHECK_EQUAL(rw::cross_entropy(sharp, row_of<float>({0, 1})).item(), 0.0);
  BOOST_CHECK_EQUAL(rw::cross_entropy(sharp, row_of<float>({1, 0})).item(), 1e4);
}

BOOST_AUTO_TEST_CASE(nll_picks_the_target) {
  const Tensor x = Tensor::from<float>(Shape{3, 2}, {-1, -2, -3, -4, 0, -6});
  const Tensor targets = Tensor::from<Size>(Shape{3}, {1, 0, 0});
  check_values(rw::nll(x, targets, {.reduction = Reduction::none}), {2, 3, 0});
  BOOST_CHECK(
      !std::signbit(rw::nll(x, targets, {.reduction = Reduction::none}).to_vector<float>()[2]));
  check_values(rw::nll(x, targets, {.reduction = Reduction::sum}), {5});
  const Tensor weights = vector_of<float>({1, 3});
  check_values(rw::nll(x, targets, {.weights = weights}), {9.0f / 5});
  check_values(rw::nll(x, targets, {.ignore_index = 0}), {2});
  check_values(
      gradient_of(x, [&](const Tensor& v) { return rw::nll(v, targets, {.weights = weights}); }),
      {0, -0.6f, -0.2f, 0, -0.2f, 0});
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = rw::zeros(Shape{4, 10});
  const auto loss = [&](const Tensor& t, const rw::CrossEntropyOptions& o = {}) {
    return rw::cross_entropy(x, t, o);
  };
  BOOST_CHECK_EXCEPTION(loss(Tensor::from<Size>(Shape{4}, {0, 9, 1, 12})), rw::ShapeError,
                        says("cross_entropy: target 12 of row 3 is outside [0, 10)"));
  BOOST_CHECK_EXCEPTION(loss(Tensor::from<Size>(Shape{4}, {0, -1, 1, 12})), rw::ShapeError,
                        says("target -1 of row 1"));
  BOOST_CHECK_EXCEPTION(rw::nll(x, Tensor::from<Size>(Shape{4}, {0, 9, 10, 1})), rw::ShapeError,
                        says("nll: target 10 of row 2 is outside [0, 10)"));
  BOOST_CHECK_EXCEPTION(loss(random_targets(Shape{3}, 10)), rw::ShapeError, says("[3]"));
  BOOST_CHECK_EXCEPTION(loss(random_targets(Shape{4, 1}, 10)), rw::ShapeError, says("[4, 1]"));
  BOOST_CHECK_EXCEPTION(loss(rw::zeros(Shape{4})), rw::ShapeError,
                        says("target probabilities [4], expected equal shapes [..., classes]; "
                             "class numbers are int64"));
  const Tensor good = random_targets(Shape{4}, 10);
  BOOST_CHECK_EXCEPTION(loss(good, {.weights = rw::ones(Shape{9})}), rw::ShapeError, says("[9]"));
  BOOST_CHECK_EXCEPTION(loss(good, {.weights = rw::ones(Shape{10}, DType::float64)}),
                        rw::UsageError, says("float64"));
  BOOST_CHECK_EXCEPTION(loss(good, {.label_smoothing = 1.5}), rw::UsageError, says("1.5"));
  BOOST_CHECK_THROW(loss(good, {.label_smoothing = std::nan("")}), rw::UsageError);
  BOOST_CHECK_THROW(rw::cross_entropy(good, good), rw::UsageError);
  BOOST_CHECK_THROW(rw::nll(x, rw::zeros(Shape{4})), rw::UsageError);
  BOOST_CHECK_THROW(rw::cross_entropy(rw::scalar(1.0), integers({0})), rw::ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
