#include <algorithm>
#include <cmath>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/kernels/reduce_kernels.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/standardize.hpp>
#include <rewind/autograd/tape/record.hpp>

namespace rw {
namespace {

/// standardize_row for a row whose squares overflow: divides distances by the largest one.
template <class T>
[[gnu::noinline]] T standardize_wide_row(const T* x, std::int64_t n, double epsilon, T mean, T* y) {
  const auto distance = [&](std::int64_t i) {
    return static_cast<double>(x[i]) - static_cast<double>(mean);
  };
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::abs(distance(i)));
  }
  double squares = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    squares += (distance(i) / largest) * (distance(i) / largest);
  }
  const double variance = squares / static_cast<double>(n) + epsilon / largest / largest;
  const double scale = 1.0 / std::sqrt(variance);
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = static_cast<T>(distance(i) / largest * scale);
  }
  return static_cast<T>(scale / largest);
}

/// y = (x - m) / sqrt(v + epsilon); returns 1 / sqrt(v + epsilon).
template <class T>
T standardize_row(const T* x, std::int64_t n, double epsilon, T* y) {
  using V = simd::Batch<T>;
  const V mean(kernels::divided_sum_of_row<T>(x, n, static_cast<double>(n)));
  const double squares = kernels::sum_terms<T>(n, [&](std::int64_t i, std::int64_t count) {
    const V distance = kernels::load(x + i, count) - mean;
    return distance * distance;
  });
  if (!std::isfinite(squares)) {
    return standardize_wide_row(x, n, epsilon, mean.get(0), y);
  }
  const T scale = static_cast<T>(1.0 / std::sqrt(squares / static_cast<double>(n) + epsilon));
  kernels::for_registers<T>(n, [&](std::int64_t i, std::int64_t count) {
    kernels::store((kernels::load(x + i, count) - mean) * V(scale), y + i, count);
  });
  return scale;
}

/// dx (+)= scale (dy - mean(dy) - y mean(dy y)).
template <bool Accumulate, class T>
void standardize_gradient_row(const T* dy, const T* y, std::int64_t n, T scale, T* dx) {
  using V = simd::Batch<T>;
  const auto count_all = static_cast<double>(n);
  const V mean(static_cast<T>(kernels::sum_row(dy, n) / count_all));
  const V along(static_cast<T>(kernels::sum_terms<T>(n,
                                                     [&](std::int64_t i, std::int64_t count) {
                                                       return kernels::load(dy + i, count) *
                                                              kernels::load(y + i, count);
                                                     }) /
                               count_all));
  kernels::for_registers<T>(n, [&](std::int64_t i, std::int64_t count) {
    V g = V(scale) * (kernels::load(dy + i, count) - mean - kernels::load(y + i, count) * along);
    if constexpr (Accumulate) {
      g += kernels::load(dx + i, count);
    }
    kernels::store(g, dx + i, count);
  });
}

/// The gradient of x, given those of both outputs, either of which may be undefined.
Tensor standardize_gradient(const Tensor& dy, const Tensor& dscale, const Tensor& y,
                            const Tensor& scale) {
  Tensor along;  // the gradient's mean component along y
  Tensor rest;
  if (dy.defined()) {
    along = mean(dy * y, {-1}, true);
    rest = dy - mean(dy, {-1}, true);
  }
  if (dscale.defined()) {
    // The derivative of scale = (v + epsilon)^(-1/2) in x is -scale^2 y / n.
    const Tensor part = dscale * scale / static_cast<double>(y.columns());
    along = along.defined() ? along + part : part;
  }
  return scale * (rest.defined() ? rest - y * along : -(y * along));
}

}  // namespace

Tensor standardize(const Tensor& x, double epsilon) {
  check_shape(x.rank() >= 1, "standardize: x has no axis, expected at least one (the features)");
  check<UsageError>(is_floating(x.dtype()),
                    "standardize: got an int64 tensor, expected float32 or float64; convert with "
                    "to()");
  check<UsageError>(epsilon > 0, "standardize: epsilon is {}, expected more than 0", epsilon);
  // The scale of each row is a second output, for gradients of the gradient.
  const std::array<Tensor, 2> outputs{detail::make_tensor(x.shape(), x.dtype()),
                                      zeros(x.shape().with(-1, 1), x.dtype())};
  if (x.elements() > 0) {
    dispatch_floating(x.dtype(), [&](auto type) {
      using T = decltype(type);
      Tensor y = outputs[0];
      Tensor scale = outputs[1];
      launch([from = rows_of<T>(x), rows = x.rows(), columns = x.columns(), epsilon,
              to = y.mutable_data<T>(), scales = scale.mutable_data<T>()] {
        for (std::int64_t r = 0; r < rows; ++r) {
          scales[r] = standardize_row(from.row(r), columns, epsilon, to + r * columns);
        }
      });
    });
  }
  const std::array<TensorRef, 1> inputs{x};
  record_several(
      "standardize", inputs, outputs, saved(outputs[0], outputs[1]),
      [](Gradients& d, const Tensor& y, const Tensor& scale) {
        const Tensor& dy = d.cotangent(0);
        const Tensor& dscale = d.cotangent(1);
        const auto recorded = [&] { return standardize_gradient(dy, dscale, y, scale); };
        if (dscale.defined()) {
          d.add(0, recorded);
          return;
        }
        d.add_rows(0, recorded, [&]<class T>(const GradientRows<T>& dx) {
          dx.each_row([dy_ = rows_of<T>(dy), y_ = rows_of<T>(y), n = dx.columns,
                       scales = scale.data<T>()](auto accumulate, std::int64_t r, T* to) {
            standardize_gradient_row<accumulate()>(dy_.row(r), y_.row(r), n, scales[r], to);
          });
        });
      });
  return outputs[0];
}

}  // namespace rw
