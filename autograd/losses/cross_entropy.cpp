#include <cmath>
#include <functional>
#include <limits>

#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/kernels/row_kernels.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/record.hpp>

// Losses over class indices, cross_entropy and nll, and cross_entropy with probabilities, which is
// composed of other operations.

namespace rw {
namespace {

/// The options of a loss over class indices that its gradient rule captures.
struct ClassLoss {
  const char* who;
  std::int64_t ignore_index;
  double smoothing;
  Reduction reduction;
};

/// The factor of each row's loss in the sum, a float64 number that is known once the loss is
/// computed.
Tensor make_scale() { return detail::make_tensor({}, DType::float64); }

/// Weights by class, or a single 1 for all classes.
template <class T>
struct ClassWeights {
  explicit ClassWeights(const Tensor& weights)
      : data(weights.data<T>()), step(weights.rank() == 0 ? 0 : 1) {}
  T operator[](std::int64_t c) const { return data[c * step]; }
  double sum(std::int64_t classes) const {
    return step == 1 ? kernels::sum_row(data, classes)
                     : static_cast<double>(classes) * static_cast<double>(*data);
  }

  const T* data;
  std::int64_t step;
};

/// factor * cost, but 0 for a factor of 0 even if the cost is -log 0.
double times(double factor, double cost) {
  return factor == 0 && std::isinf(cost) ? 0 : factor * cost;
}

/// How one row's loss depends on its distribution p: -target log p_t - uniform sum_c w_c log p_c.
struct RowFactors {
  double target = 0;
  double uniform = 0;

  template <class T>
  RowFactors(const ClassLoss& loss, const ClassWeights<T>& weights, std::int64_t t,
             std::int64_t classes)
      : target((1 - loss.smoothing) * static_cast<double>(weights[t])),
        uniform(loss.smoothing / static_cast<double>(classes)) {}
};

void check_weights(const char* who, const Tensor& x, const Tensor& weights) {
  if (weights.defined()) {
    check_shape(weights.shape() == Shape{x.columns()}, "{}: weights are {}, expected [{}]", who,
                weights.shape(), x.columns());
    check<UsageError>(weights.dtype() == x.dtype(), "{}: weights are {}, expected {} like {}", who,
                      name_of(weights.dtype()), name_of(x.dtype()), x.shape());
  }
}

void check_arguments(const char* who, const Tensor& x, const Tensor& targets,
                     const Tensor& weights) {
  check<UsageError>(is_floating(x.dtype()),
                    "{}: scores are int64, expected float32 or float64; scores come first, targets "
                    "second",
                    who);
  check_shape(x.rank() >= 1, "{}: scores are {}, expected [..., classes]", who, x.shape());
  check<UsageError>(targets.dtype() == DType::int64,
                    "{}: targets are {}, expected int64 class indices", who,
                    name_of(targets.dtype()));
  check_shape(targets.shape() == x.shape().without(-1),
              "{}: targets are {}, expected {}: one class index for each row of {}", who,
              targets.shape(), x.shape().without(-1), x.shape());
  check_weights(who, x, weights);
}

void check_target(const char* who, std::int64_t target, std::int64_t row, std::int64_t classes) {
  check_shape(0 <= target && target < classes, "{}: target {} of row {} is outside [0, {})", who,
              target, row, classes);
}

/// Launches a kernel that calls row_loss(r, t) for the rows that are not ignored, puts the losses,
/// or their sum or mean, into a new tensor, and sets `scale`.
template <class T, class RowLoss>
Tensor reduce_rows(const ClassLoss& loss, const Tensor& x, const Tensor& targets,
                   const ClassWeights<T>& weights, Tensor& scale, const RowLoss& row_loss) {
  const bool separate = loss.reduction == Reduction::none;
  Tensor value = detail::make_tensor(separate ? targets.shape() : Shape{}, x.dtype());
  launch([=, to = value.mutable_data<T>(), scale = scale.mutable_data<double>(),
          target = targets.data<std::int64_t>(), rows = targets.elements(), classes = x.columns()] {
    double total = 0;
    double weight = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const bool counts = target[r] != loss.ignore_index;
      double term = 0;
      if (counts) {
        check_target(loss.who, target[r], r, classes);
        term = row_loss(r, target[r]);
        total += term;
        weight += static_cast<double>(weights[target[r]]);
      }
      if (separate) {
        to[r] = static_cast<T>(term);
      }
    }
    *scale = 1;
    if (loss.reduction == Reduction::mean) {
      *scale = weight == 0 ? 0 : 1 / weight;
      total = weight == 0 ? 0 : total / weight;
    }
    if (!separate) {
      *to = static_cast<T>(total);
    }
  });
  return value;
}

/// The statistics of one row of logits for the gradient: e^(x - largest) * inverse_sum is its
/// softmax.
template <class T>
struct RowStatistics {
  T largest;
  T inverse_sum;
};

/// -sum_c q_c log softmax(x)_c. Its parts, log(sum) and largest - x_c, are never negative, since
/// the sum holds e^0.
template <class T>
double cross_entropy_row(const T* x, std::int64_t classes, std::int64_t t,
                         const RowFactors& factors, const ClassWeights<T>& weights,
                         RowStatistics<T>& statistics) {
  const T largest = kernels::extreme_of_row<kernels::Larger>(x, classes);
  const double sum = kernels::sum_exp(x, classes, largest);
  statistics = {largest, static_cast<T>(1 / sum)};
  const double top = static_cast<double>(largest);
  const double log_sum = std::log(sum);
  double loss = times(factors.target, log_sum + (top - static_cast<double>(x[t])));
  if (factors.uniform > 0) {
    const auto add_up = [&](auto&& product) {
      double total = 0;
      for (std::int64_t c = 0; c < classes; ++c) {
        total +=
            product(static_cast<double>(weights[c]), log_sum + (top - static_cast<double>(x[c])));
      }
      return total;
    };
    double others = add_up(std::multiplies<>{});
    if (std::isnan(others)) {  // perhaps from a weight of 0 for a masked class
      others = add_up(times);
    }
    loss += factors.uniform * others;
  }
  return loss;
}

/// dx (+)= dy ((target + uniform sum(w)) p_c - uniform w_c - target [c = t]), with p the softmax.
template <bool Accumulate, class T>
void cross_entropy_gradient_row(double dy, const T* x, std::int64_t classes, std::int64_t t,
                                const RowFactors& factors, const ClassWeights<T>& weights,
                                double weight_sum, const RowStatistics<T>& statistics, T* dx) {
  using V = simd::Batch<T>;
  const V largest(statistics.largest);
  const V inverse_sum(statistics.inverse_sum);
  const V slope(static_cast<T>(dy * (factors.target + factors.uniform * weight_sum)));
  kernels::for_registers<T>(classes, [&](std::int64_t c, std::int64_t count) {
    V g = simd::exp(kernels::load(x + c, count) - largest) * inverse_sum * slope;
    if constexpr (Accumulate) {
      g += kernels::load(dx + c, count);
    }
    kernels::store(g, dx + c, count);
  });
  if (factors.uniform > 0) {
    const T uniform = static_cast<T>(dy * factors.uniform);
    for (std::int64_t c = 0; c < classes; ++c) {
      dx[c] -= uniform * weights[c];
    }
  }
  dx[t] -= static_cast<T>(dy * factors.target);
}

/// Computes the gradient in one pass over the rows, in place.
template <class T>
void cross_entropy_gradient(const ClassLoss& loss, const Tensor& dy, const Tensor& x,
                            const Tensor& targets, const Tensor& weights, const Tensor& statistics,
                            const Tensor& loss_scale, const GradientRows<T>& dx) {
  const std::int64_t classes = x.columns();
  const ClassWeights<T> w(weights);
  const double weight_sum = loss.smoothing > 0 ? w.sum(classes) : 0;
  const auto* const target = targets.data<std::int64_t>();
  const auto* const rows = reinterpret_cast<const RowStatistics<T>*>(statistics.data<T>());
  const Tensor dense = contiguous(dy);
  const T* const g = dense.data<T>();
  const double* const scale = loss_scale.data<double>();
  dx.each_row([=, x_ = rows_of<T>(x)](auto accumulate, std::int64_t r, T* to) {
    if (target[r] == loss.ignore_index) {
      if constexpr (!accumulate) {
        std::fill_n(to, classes, T(0));
      }
      return;
    }
    const double dloss = loss.reduction == Reduction::none ? double(g[r]) : double(*g) * *scale;
    const RowFactors factors(loss, w, target[r], classes);
    cross_entropy_gradient_row<accumulate()>(dloss, x_.row(r), classes, target[r], factors, w,
                                             weight_sum, rows[r], to);
  });
}

/// The target distribution q of every row, times its weights and scale: [..., C]; the sum of each
/// row, and 1 where it is not ignored: [..., 1].
struct WeightedTargets {
  Tensor q;
  Tensor sum;
  Tensor counts;
};
WeightedTargets weighted_targets(const ClassLoss& loss, const Shape& shape, DType dtype,
                                 const Tensor& targets, const Tensor& weights,
                                 const Tensor& loss_scale) {
  WeightedTargets result{zeros(shape, dtype), zeros(shape.with(-1, 1), dtype),
                         zeros(shape.with(-1, 1), dtype)};
  dispatch_floating(dtype, [&](auto type) {
    using T = decltype(type);
    launch([loss, w = ClassWeights<T>(weights), classes = shape.columns(),
            target = targets.data<std::int64_t>(), rows = targets.elements(),
            scale = loss_scale.data<double>(), all = result.q.mutable_data<T>(),
            sum = result.sum.mutable_data<T>(), counts = result.counts.mutable_data<T>()] {
      const double weight_sum = loss.smoothing > 0 ? w.sum(classes) : 0;
      T* q = all;
      for (std::int64_t r = 0; r < rows; ++r, q += classes) {
        if (target[r] == loss.ignore_index) {
          continue;
        }
        const RowFactors factors(loss, w, target[r], classes);
        for (std::int64_t c = 0; factors.uniform > 0 && c < classes; ++c) {
          q[c] = static_cast<T>(*scale * factors.uniform * static_cast<double>(w[c]));
        }
        q[target[r]] += static_cast<T>(*scale * factors.target);
        sum[r] = static_cast<T>(*scale * (factors.target + factors.uniform * weight_sum));
        counts[r] = 1;
      }
    });
  });
  return result;
}

/// `dy` so that it broadcasts against [..., C].
Tensor by_rows(const ClassLoss& loss, const Tensor& dy, const Shape& shape) {
  return loss.reduction == Reduction::none ? reshape(dy, shape.with(-1, 1)) : dy;
}

Tensor weights_or_one(const Tensor& weights, DType dtype) {
  return weights.defined() ? contiguous(weights.detach()) : scalar(1.0, dtype);
}

Tensor cross_entropy_of_indices(const Tensor& logits, const Tensor& indices,
                                const CrossEntropyOptions& options) {
  check_arguments("cross_entropy", logits, indices, options.weights);
  const Tensor targets = contiguous(indices);
  const Tensor weights = weights_or_one(options.weights, logits.dtype());
  const ClassLoss loss{"cross_entropy", options.ignore_index, options.label_smoothing,
                       options.reduction};
  Tensor statistics = detail::make_tensor(Shape{targets.elements(), 2}, logits.dtype());
  Tensor scale = make_scale();
  const Tensor value = dispatch_floating(logits.dtype(), [&](auto type) {
    using T = decltype(type);
    const ClassWeights<T> w(weights);
    auto* const rows = reinterpret_cast<RowStatistics<T>*>(statistics.mutable_data<T>());
    return reduce_rows<T>(
        loss, logits, targets, w, scale,
        [=, x = rows_of<T>(logits), classes = logits.columns()](std::int64_t r, std::int64_t t) {
          return cross_entropy_row(x.row(r), classes, t, RowFactors(loss, w, t, classes), w,
                                   rows[r]);
        });
  });
  return record(
      "cross_entropy", {logits}, value, saved(logits, targets, weights, statistics, scale),
      [loss](const Tensor& dy, Gradients& d, const Tensor& x, const Tensor& t, const Tensor& w,
             const Tensor& s, const Tensor& scale_) {
        const auto recorded = [&] {
          const WeightedTargets q = weighted_targets(loss, x.shape(), x.dtype(), t, w, scale_);
          // The content of ignored rows, even NaN, must not reach their gradient.
          const Tensor p = softmax(where(q.counts, x, 0));
          return (p * q.sum - q.q) * by_rows(loss, dy, x.shape());
        };
        d.add_rows(0, recorded, [&](const auto& dx) {
          cross_entropy_gradient(loss, dy, x, t, w, s, scale_, dx);
        });
      });
}

Tensor cross_entropy_of_probabilities(const Tensor& logits, const Tensor& targets,
                                      const CrossEntropyOptions& options) {
  check_shape(logits.rank() >= 1 && logits.shape() == targets.shape(),
              "cross_entropy: logits are {}, target probabilities {}, expected equal shapes "
              "[..., classes]; class numbers are int64, see to()",
              logits.shape(), targets.shape());
  check_weights("cross_entropy", logits, options.weights);
  const double smoothing = options.label_smoothing;
  const double uniform =
      logits.columns() == 0 ? 0 : smoothing / static_cast<double>(logits.columns());
  const auto formula = [](auto l, auto q, auto keep, auto u, auto w) {
    const auto factor = w * (keep * q + u);
    const auto absent = equal(factor, 0) * equal(l, -std::numeric_limits<double>::infinity());
    return -(factor * where(absent, 0, l));
  };
  const Tensor terms = fuse("cross_entropy", formula, log_softmax(logits), targets, 1 - smoothing,
                            uniform, weights_or_one(options.weights, logits.dtype()));
  if (options.reduction == Reduction::sum || terms.elements() == 0) {
    return options.reduction == Reduction::none ? sum(terms, {-1}) : sum(terms);
  }
  const Tensor rows = sum(terms, {-1});
  return options.reduction == Reduction::none ? rows : mean(rows);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options) {
  check<UsageError>(options.label_smoothing >= 0 && options.label_smoothing <= 1,
                    "cross_entropy: label_smoothing is {}, expected a number in [0, 1]",
                    options.label_smoothing);
  return targets.dtype() == DType::int64 ? cross_entropy_of_indices(logits, targets, options)
                                         : cross_entropy_of_probabilities(logits, targets, options);
}

Tensor nll(const Tensor& log_probabilities, const Tensor& indices, const NllOptions& options) {
  const Tensor& x = log_probabilities;
  check_arguments("nll", x, indices, options.weights);
  const Tensor targets = contiguous(indices);
  const Tensor weights = weights_or_one(options.weights, x.dtype());
  const ClassLoss loss{"nll", options.ignore_index, 0.0, options.reduction};
  Tensor scale = make_scale();
  const Tensor value = dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    const ClassWeights<T> w(weights);
    return reduce_rows<T>(
        loss, x, targets, w, scale, [=, x_ = rows_of<T>(x)](std::int64_t r, std::int64_t t) {
          return times(static_cast<double>(w[t]), 0.0 - static_cast<double>(x_.row(r)[t]));
        });
  });
  return record(
      "nll", {x}, value, saved(targets, weights, scale),
      [loss, shape = x.shape(), dtype = x.dtype()](const Tensor& dy, Gradients& d, const Tensor& t,
                                                   const Tensor& w, const Tensor& scale_) {
        d.add(0, [&] {
          const WeightedTargets q = weighted_targets(loss, shape, dtype, t, w, scale_);
          return -(q.q * by_rows(loss, dy, shape));
        });
      });
}

}  // namespace rw
