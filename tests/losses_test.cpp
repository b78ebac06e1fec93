// Softmax and the losses against long-double references, and their edges.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>

namespace {

using rw::DType;
using rw::Reduction;
using rw::Shape;
using rw::Tensor;
using Size = std::int64_t;
using Numbers = std::vector<double>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float largest = std::numeric_limits<float>::max();

Tensor random_tensor(const Shape& shape, unsigned seed = 1, float low = -3, float high = 3) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& value : values) {
    value = uniform(engine);
  }
  return Tensor::from<float>(shape, values);
}

Tensor random_targets(const Shape& shape, Size classes, unsigned seed = 7) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<Size> uniform(0, classes - 1);
  std::vector<Size> values(static_cast<std::size_t>(shape.elements()));
  for (Size& value : values) {
    value = uniform(engine);
  }
  return Tensor::from<Size>(shape, values);
}

/// The same values as columns of a wider tensor.
Tensor as_slice(const Tensor& x) {
  const Size n = x.columns();
  Tensor wide = rw::full(x.shape().with(-1, n + 4), 1e30, x.dtype());
  rw::dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    const std::vector<T> values = x.to_vector<T>();
    T* const to = wide.mutable_data<T>();
    for (Size i = 0; i < x.elements(); ++i) {
      to[i / n * (n + 4) + 3 + i % n] = values[static_cast<std::size_t>(i)];
    }
  });
  return rw::slice(wide, -1, 3, 3 + n);
}

Tensor row(const std::vector<float>& values) {
  return Tensor::from<float>(Shape{static_cast<Size>(values.size())}, values);
}

Tensor one_row(const std::vector<float>& values) {
  return Tensor::from<float>(Shape{1, static_cast<Size>(values.size())}, values);
}

Tensor index(Size target) { return Tensor::from<Size>(Shape{1}, {target}); }

Numbers numbers(const Tensor& x) { return x.to(DType::float64).to_vector<double>(); }

Numbers log_softmax_of(const double* x, std::size_t n) {
  const double top = *std::max_element(x, x + n);
  long double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += std::exp(static_cast<long double>(x[i]) - top);
  }
  Numbers y;
  for (std::size_t i = 0; i < n; ++i) {
    y.push_back(static_cast<double>(static_cast<long double>(x[i]) - top - std::log(sum)));
  }
  return y;
}

Numbers log_softmax_rows(const Tensor& x) {
  const Numbers values = numbers(x);
  Numbers y;
  const auto n = static_cast<std::size_t>(x.columns());
  for (std::size_t i = 0; i < values.size(); i += n) {
    const Numbers part = log_softmax_of(&values[i], n);
    y.insert(y.end(), part.begin(), part.end());
  }
  return y;
}

void check_near(const Tensor& got, const Numbers& expected, double tolerance) {
  const Numbers values = numbers(got);
  BOOST_REQUIRE_EQUAL(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double scale = std::max(1.0, std::abs(expected[i]));
    BOOST_CHECK_MESSAGE(std::abs(values[i] - expected[i]) <= tolerance * scale,
                        "element " << i << ": got " << values[i] << ", expected " << expected[i]);
  }
}

void check_values(const Tensor& x, const std::vector<float>& expected) {
  const std::vector<float> values = x.to_vector<float>();
  BOOST_CHECK_EQUAL_COLLECTIONS(values.begin(), values.end(), expected.begin(), expected.end());
}

bool all_nan(const Tensor& x) {
  const Numbers values = numbers(x);
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}

bool all_finite(const Tensor& x) {
  const Numbers values = numbers(x);
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

using Function = std::function<Tensor(const Tensor&)>;

/// The gradient of sum(f(x) seed): by the fused rule, which first writes and then adds; and by the
/// recorded rule.
struct GradientPair {
  Tensor now;
  Tensor recorded;
};
GradientPair gradients_of(const Tensor& x, const Function& f) {
  rw::Tape tape;
  const Tensor v = tape.watch(x);
  const Tensor y = f(v);
  const Tensor loss = rw::sum(y * random_tensor(y.shape(), 5).to(y.dtype()));
  GradientPair pair;
  pair.recorded = tape.gradient(loss, {v}, {.create_graph = true}).front();
  pair.now = tape.gradient(loss, {v}).front();
  return pair;
}

Tensor gradient_of(const Tensor& x, const Function& f) {
  rw::Tape tape;
  const Tensor v = tape.watch(x);
  return tape.gradient(rw::sum(f(v)), {v}).front();
}

double tolerance_of(const Tensor& x) { return x.dtype() == DType::float32 ? 1e-6 : 1e-13; }

/// -sum_c w_c q_c log softmax(x)_c of each row, and what it weighs in a mean.
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

auto says(const std::string& text) {
  return [text](const rw::Error& e) {
    const bool found = std::string(e.what()).find(text) != std::string::npos;
    if (!found) {
      BOOST_TEST_MESSAGE(e.what());
    }
    return found;
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(softmax)

BOOST_AUTO_TEST_CASE(values_match_the_reference) {
  for (const Shape& shape : {Shape{1}, Shape{5}, Shape{16}, Shape{40}, Shape{1000}, Shape{3, 1},
                             Shape{7, 10}, Shape{4, 33}, Shape{2, 3, 129}, Shape{2, 1, 3, 2, 17}}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor dense = random_tensor(shape, 3, -20, 20).to(dtype);
      Numbers expected = log_softmax_rows(dense);
      for (const Tensor& x : {dense, as_slice(dense)}) {
        check_near(rw::log_softmax(x), expected, tolerance_of(x));
      }
      for (double& v : expected) {
        v = std::exp(v);
      }
      for (const Tensor& x : {dense, as_slice(dense)}) {
        const Tensor y = rw::softmax(x);
        check_near(y, expected, tolerance_of(x));
        for (const double total : numbers(rw::sum(y.to(DType::float64), {-1}))) {
          BOOST_CHECK_SMALL(total - 1, 1e-6);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(any_axis) {
  const Tensor x = random_tensor(Shape{3, 4, 5});
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor moved = rw::contiguous(rw::transpose(x, axis, -1));
    const Tensor expected = rw::contiguous(rw::transpose(rw::softmax(moved), axis, -1));
    check_near(rw::softmax(x, axis), numbers(expected), 0);
    check_near(rw::softmax(x, axis - 3), numbers(expected), 0);
    check_near(rw::exp(rw::log_softmax(x, axis)), numbers(expected), 1e-6);
  }
  BOOST_CHECK_THROW(rw::softmax(x, 3), rw::ShapeError);
  BOOST_CHECK_THROW(rw::softmax(rw::scalar(1.0)), rw::ShapeError);
  BOOST_CHECK_THROW(rw::softmax(rw::arange(3)), rw::UsageError);
  BOOST_CHECK(rw::softmax(rw::zeros(Shape{0, 4})).shape() == (Shape{0, 4}));
  BOOST_CHECK(rw::log_softmax(rw::zeros(Shape{4, 0})).shape() == (Shape{4, 0}));
}

BOOST_AUTO_TEST_CASE(rows_with_nan_or_no_winner_are_nan) {
  for (const Size n : {1, 2, 15, 16, 17, 40, 100}) {
    for (const Size at : {Size{0}, n / 2, n - 1}) {
      std::vector<float> values(static_cast<std::size_t>(n), 0.5f);
      values[static_cast<std::size_t>(at)] = nan_value;
      BOOST_CHECK(all_nan(rw::softmax(row(values))));
      BOOST_CHECK(all_nan(rw::log_softmax(row(values))));
      values[static_cast<std::size_t>(at)] = infinity;
      BOOST_CHECK(all_nan(rw::softmax(row(values))));
    }
    const Tensor none = rw::full(Shape{n}, -INFINITY);
    BOOST_CHECK(all_nan(rw::softmax(none)));
    BOOST_CHECK(all_nan(rw::log_softmax(none)));
  }
  // The other rows do not mind.
  const Tensor x = Tensor::from<float>(Shape{2, 2}, {nan_value, 0, 0, 0});
  check_values(rw::slice(rw::softmax(x), 0, 1, 2), {0.5f, 0.5f});
}

BOOST_AUTO_TEST_CASE(extreme_rows) {
  check_values(rw::softmax(row({1e38f, 1e38f, -1e38f, 0})), {0.5f, 0.5f, 0, 0});
  check_values(rw::softmax(row({largest, -largest})), {1, 0});
  check_values(rw::softmax(row({-infinity, 3, -infinity})), {0, 1, 0});
  check_values(rw::log_softmax(row({-infinity, 3, -infinity})), {-infinity, 0, -infinity});
  check_values(rw::log_softmax(row({1e4f, 0})), {0, -1e4f});
  for (const double v : numbers(rw::log_softmax(random_tensor(Shape{200, 30}, 9, -50, 50)))) {
    BOOST_CHECK_LE(v, 0.0);
  }
}

BOOST_AUTO_TEST_CASE(gradients_match_the_formula) {
  for (const Shape& shape : {Shape{5}, Shape{3, 40}, Shape{2, 3, 17}}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor x = as_slice(random_tensor(shape).to(dtype));
      const Tensor g = random_tensor(shape, 5).to(dtype);
      const Tensor y = rw::softmax(x);
      const Numbers soft = numbers(y * (g - rw::sum(g * y, {-1}, true)));
      const Numbers log_soft = numbers(g - y * rw::sum(g, {-1}, true));
      const GradientPair a = gradients_of(x, [](const Tensor& v) { return rw::softmax(v); });
      check_near(a.now, soft, tolerance_of(x));
      check_near(a.recorded, soft, tolerance_of(x));
      const GradientPair b = gradients_of(x, [](const Tensor& v) { return rw::log_softmax(v); });
      check_near(b.now, log_soft, tolerance_of(x));
      check_near(b.recorded, log_soft, tolerance_of(x));
      // Where another gradient has been written before, these add.
      const GradientPair c =
          gradients_of(x, [](const Tensor& v) { return rw::softmax(v) + rw::log_softmax(v) + v; });
      Numbers both = numbers(g);
      for (std::size_t i = 0; i < both.size(); ++i) {
        both[i] += soft[i] + log_soft[i];
      }
      check_near(c.now, both, 2 * tolerance_of(x));
      check_near(c.recorded, both, 2 * tolerance_of(x));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

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
            for (const Tensor& x : {dense, as_slice(dense)}) {
              options.reduction = Reduction::none;
              const Tensor each = rw::cross_entropy(x, targets, options);
              BOOST_CHECK(each.shape() == targets.shape());
              check_near(each, terms.loss, tolerance_of(x));
              options.reduction = Reduction::sum;
              check_near(rw::cross_entropy(x, targets, options), {terms.reduced(Reduction::sum)},
                         tolerance_of(x));
              options.reduction = Reduction::mean;
              const double mean = terms.reduced(Reduction::mean);
              check_near(rw::cross_entropy(x, targets, options), {std::isnan(mean) ? 0 : mean},
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
  const Tensor x = as_slice(random_tensor(shape).to(DType::float64));
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
      check_near(fused(x), numbers(composed(x)), 1e-13);
      const Numbers expected = numbers(gradients_of(x, composed).now);
      const GradientPair got = gradients_of(x, fused);
      check_near(got.now, expected, 1e-13);
      check_near(got.recorded, expected, 1e-13);
      const GradientPair added =
          gradients_of(x, [&](const Tensor& v) { return fused(v) + fused(v); });
      check_near(added.now * 0.5, expected, 1e-13);
      check_near(added.recorded * 0.5, expected, 1e-13);

      // The second derivative along one direction, through the recorded rule.
      const auto curvature = [&](const Function& f) {
        rw::Tape tape;
        const Tensor v = tape.watch(x);
        const Tensor first = tape.gradient(rw::sum(f(v)), {v}, {.create_graph = true}).front();
        const Tensor along = random_tensor(shape, 11).to(DType::float64);
        return tape.gradient(rw::sum(first * along), {v}).front();
      };
      check_near(curvature(fused), numbers(curvature(composed)), 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(perfect_and_worst_predictions) {
  for (const float gap : {1e4f, 1e30f, largest}) {
    const Tensor x = one_row({-gap / 2, gap / 2, -gap / 2});
    BOOST_CHECK_EQUAL(rw::cross_entropy(x, index(1)).item(), 0.0);
    check_values(gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, index(1)); }),
                 {0, 0, 0});
    BOOST_CHECK_EQUAL(rw::cross_entropy(x, index(0)).item(), static_cast<double>(gap));
    check_values(gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, index(0)); }),
                 {-1, 1, 0});
  }
  for (const float same : {largest, -largest, 1e4f, -1e4f}) {
    const Tensor x = one_row({same, same, same, same});
    BOOST_CHECK_CLOSE(rw::cross_entropy(x, index(2)).item(), std::log(4.0), 1e-5);
    check_values(gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, index(2)); }),
                 {0.25f, 0.25f, -0.75f, 0.25f});
  }
  const Tensor x = one_row({largest, -largest});
  BOOST_CHECK_EQUAL(rw::cross_entropy(x, index(0)).item(), 0.0);
  // The true loss is twice the largest number; its gradient is finite all the same.
  BOOST_CHECK_EQUAL(rw::cross_entropy(x, index(1)).item(), infinity);
  check_values(gradient_of(x, [](const Tensor& v) { return rw::cross_entropy(v, index(1)); }),
               {1, -1});
  const Tensor masked = one_row({-infinity, 2, -infinity});
  BOOST_CHECK_EQUAL(rw::cross_entropy(masked, index(1)).item(), 0.0);
  BOOST_CHECK_EQUAL(rw::cross_entropy(masked, index(0)).item(), infinity);
  BOOST_CHECK(std::isnan(rw::cross_entropy(one_row({0, nan_value, 1}), index(0)).item()));
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
    const Tensor x = as_slice(random_tensor(shape, 3).to(dtype));
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
      check_near(each, plain, 2 * tolerance_of(x));
      options.weights = weights;
      check_near(rw::cross_entropy(x, q, options), weighted, 2 * tolerance_of(x));
      options.reduction = Reduction::mean;
      double total = 0;
      for (const double v : weighted) {
        total += v;
      }
      check_near(rw::cross_entropy(x, q, options), {total / 12}, 2 * tolerance_of(x));
      options.reduction = Reduction::sum;
      check_near(rw::cross_entropy(x, q, options), {total}, 2 * tolerance_of(x));
    }
  }
  const Tensor sharp = one_row({0, 1e4f});
  BOOST_CHECK_EQUAL(rw::cross_entropy(sharp, one_row({0, 1})).item(), 0.0);
  BOOST_CHECK_EQUAL(rw::cross_entropy(sharp, one_row({1, 0})).item(), 1e4);
}

BOOST_AUTO_TEST_CASE(nll_picks_the_target) {
  const Tensor x = Tensor::from<float>(Shape{3, 2}, {-1, -2, -3, -4, 0, -6});
  const Tensor targets = Tensor::from<Size>(Shape{3}, {1, 0, 0});
  check_values(rw::nll(x, targets, {.reduction = Reduction::none}), {2, 3, 0});
  BOOST_CHECK(
      !std::signbit(rw::nll(x, targets, {.reduction = Reduction::none}).to_vector<float>()[2]));
  check_values(rw::nll(x, targets, {.reduction = Reduction::sum}), {5});
  const Tensor weights = row({1, 3});
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
  BOOST_CHECK_THROW(rw::cross_entropy(rw::scalar(1.0), index(0)), rw::ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(pointwise_losses)

BOOST_AUTO_TEST_CASE(values_match_the_reference) {
  struct Case {
    Tensor (*run)(const Tensor&, const Tensor&, Reduction);
    double (*term)(double x, double y);
    bool targets_are_probabilities;
  };
  const std::array<Case, 5> cases = {{
      {rw::mse, [](double x, double y) { return (x - y) * (x - y); }, false},
      {rw::l1, [](double x, double y) { return std::abs(x - y); }, false},
      {[](const Tensor& x, const Tensor& y, Reduction r) { return rw::huber(x, y, 0.7, r); },
       [](double x, double y) {
         const double e = std::abs(x - y);
         return e <= 0.7 ? e * e / 2 : 0.7 * (e - 0.35);
       },
       false},
      {[](const Tensor& x, const Tensor& y, Reduction r) {
         return rw::bce_with_logits(x, y, {.reduction = r});
       },
       [](double x, double y) {
         return std::max(x, 0.0) - x * y + std::log1p(std::exp(-std::abs(x)));
       },
       true},
      {rw::kl_div, [](double x, double y) { return y * (std::log(y) - x); }, true},
  }};
  for (const Case& test : cases) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{7, 5}, Shape{3, 4, 33}, Shape{200, 64}}) {
      for (const DType dtype : {DType::float32, DType::float64}) {
        const Tensor x = random_tensor(shape, 1).to(dtype);
        const Tensor y = (test.targets_are_probabilities ? random_tensor(shape, 2, 0.01f, 1)
                                                         : random_tensor(shape, 2))
                             .to(dtype);
        Numbers expected = numbers(x);
        const Numbers other = numbers(y);
        double total = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
          expected[i] = test.term(expected[i], other[i]);
          total += expected[i];
        }
        for (const Tensor& from : {x, shape.rank() > 0 ? as_slice(x) : x}) {
          check_near(test.run(from, y, Reduction::none), expected, tolerance_of(x));
          check_near(test.run(from, y, Reduction::sum), {total}, tolerance_of(x));
          check_near(test.run(from, y, Reduction::mean),
                     {total / static_cast<double>(shape.elements())}, tolerance_of(x));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(means_of_many_terms_keep_their_digits) {
  const Tensor x = rw::full(Shape{2'000'000}, 0.1);
  const double exact = static_cast<double>(0.1f);
  BOOST_CHECK_SMALL(rw::l1(x, rw::zeros_like(x)).item() / exact - 1, 1e-6);
  BOOST_CHECK_SMALL(rw::l1(x, rw::zeros_like(x), Reduction::sum).item() / (2e6 * exact) - 1, 1e-6);
}

BOOST_AUTO_TEST_CASE(extreme_logits) {
  const Tensor x = row({1e4f, -1e4f, 1e4f, -1e4f, largest, -largest, 20, -20, 0});
  const Tensor y = row({1, 0, 0, 1, 1, 0, 1, 0, 0});
  const Tensor each = rw::bce_with_logits(x, y, {.reduction = Reduction::none});
  const float tiny = std::log1p(std::exp(-20.0f));
  BOOST_CHECK(all_finite(each));
  check_near(
      each,
      {0, 0, 1e4, 1e4, 0, 0, static_cast<double>(tiny), static_cast<double>(tiny), std::log(2.0)},
      1e-6);
  // log1p(e^-20) is lost in neither order of signs.
  BOOST_CHECK_CLOSE(numbers(each)[6], 2.0611536e-9, 1e-3);
  BOOST_CHECK_CLOSE(numbers(each)[7], 2.0611536e-9, 1e-3);
  const Tensor slope = gradient_of(x, [&](const Tensor& v) {
    return rw::bce_with_logits(v, y, {.reduction = Reduction::none});
  });
  check_near(slope, {0, 0, 1, -1, 0, 0, -2.0611536e-9, 2.0611536e-9, 0.5}, 1e-6);
  for (const double v : numbers(slope)) {
    BOOST_CHECK_LE(std::abs(v), 1.0);
  }
  BOOST_CHECK(std::isnan(rw::bce_with_logits(row({nan_value}), row({0})).item()));
}

BOOST_AUTO_TEST_CASE(positive_weight) {
  const Tensor x = row({-2, -0.5f, 0, 0.5f, 2, 1e4f, -1e4f}).to(DType::float64);
  const Tensor y = row({1, 0.25f, 1, 0.5f, 0, 1, 0}).to(DType::float64);
  const Tensor w = row({1, 2, 3, 4, 5, 6, 7}).to(DType::float64);
  Numbers expected, slope;
  for (std::size_t i = 0; i < 7; ++i) {
    const double v = numbers(x)[i], t = numbers(y)[i], k = numbers(w)[i];
    const auto softplus = [](double z) {
      return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
    };
    expected.push_back(k * t * softplus(-v) + (1 - t) * softplus(v));
    slope.push_back(-k * t / (1 + std::exp(v)) + (1 - t) / (1 + std::exp(-v)));
  }
  const auto loss = [&](const Tensor& v) {
    return rw::bce_with_logits(v, y, {.pos_weight = w, .reduction = Reduction::none});
  };
  check_near(loss(x), expected, 1e-13);
  check_near(gradient_of(x, loss), slope, 1e-13);
  const Tensor rows = rw::reshape(x, Shape{7, 1});
  BOOST_CHECK_THROW(rw::bce_with_logits(rows, rw::reshape(y, Shape{7, 1}), {.pos_weight = w}),
                    rw::ShapeError);
}

BOOST_AUTO_TEST_CASE(kl_div_of_zero_probability) {
  const Tensor p = row({0, 0.5f, 0.5f, 0});
  const Tensor log_q = row({-infinity, std::log(0.25f), std::log(0.5f), -1});
  const Tensor each = rw::kl_div(log_q, p, Reduction::none);
  check_near(each, {0, 0.5 * std::log(2.0), 0, 0}, 1e-6);
  check_near(gradient_of(log_q, [&](const Tensor& v) { return rw::kl_div(v, p, Reduction::sum); }),
             {0, -0.5, -0.5, 0}, 1e-7);
  check_near(gradient_of(p, [&](const Tensor& v) { return rw::kl_div(log_q, v, Reduction::sum); }),
             {0, std::log(2.0) + 1, 1, 0}, 1e-6);
  BOOST_CHECK(std::isnan(rw::kl_div(log_q, row({nan_value, 1, 0, 0})).item()));
}

BOOST_AUTO_TEST_CASE(slopes_at_the_joints) {
  const Tensor zero = row({0, 0, 0});
  const Tensor x = row({0, 1, -3});
  check_values(gradient_of(x, [&](const Tensor& v) { return rw::l1(v, zero, Reduction::sum); }),
               {0, 1, -1});
  check_values(
      gradient_of(x, [&](const Tensor& v) { return rw::huber(v, zero, 1.0, Reduction::sum); }),
      {0, 1, -1});
  check_values(gradient_of(x, [&](const Tensor& v) { return rw::mse(v, zero); }),
               {0, 2.0f / 3, -2});
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = rw::zeros(Shape{4, 1});
  const Tensor y = rw::zeros(Shape{4});
  BOOST_CHECK_EXCEPTION(rw::mse(x, y), rw::ShapeError,
                        says("mse: the prediction is [4, 1], the target [4]"));
  BOOST_CHECK_EXCEPTION(rw::l1(x, y), rw::ShapeError, says("l1"));
  BOOST_CHECK_EXCEPTION(rw::huber(x, y), rw::ShapeError, says("huber"));
  BOOST_CHECK_EXCEPTION(rw::bce_with_logits(x, y), rw::ShapeError, says("bce_with_logits"));
  BOOST_CHECK_EXCEPTION(rw::kl_div(x, y), rw::ShapeError, says("kl_div"));
  BOOST_CHECK_THROW(rw::huber(x, x, 0.0), rw::UsageError);
  BOOST_CHECK_THROW(rw::huber(x, x, std::nan("")), rw::UsageError);
  BOOST_CHECK_THROW(rw::mse(x, rw::zeros(Shape{4, 1}, DType::float64)), rw::UsageError);
}

BOOST_AUTO_TEST_SUITE_END()
