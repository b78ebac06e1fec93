#include <cmath>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/kernels/row_kernels.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tensor/axis.hpp>

namespace rw {
namespace {

/// y = e^(x - max x) / sum. If max x is NaN or infinite, some x - max x is NaN, and so are the sum
/// and every element.
template <class T>
void softmax_row(const T* x, std::int64_t n, T* y) {
  using V = simd::Batch<T>;
  const V largest(kernels::extreme_of_row<kernels::Larger>(x, n));
  const double sum = kernels::sum_terms<T>(n, [&](std::int64_t i, std::int64_t count) {
    const V term = simd::exp(kernels::load(x + i, count) - largest);
    kernels::store(term, y + i, count);
    return term;
  });
  const T scale = static_cast<T>(1.0 / sum);
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] *= scale;
  }
}

/// y = (x - max x) - log(sum): both terms are at most 0, since the sum holds e^0.
template <class T>
void log_softmax_row(const T* x, std::int64_t n, T* y) {
  const T largest = kernels::extreme_of_row<kernels::Larger>(x, n);
  const T log_sum = static_cast<T>(std::log(kernels::sum_exp(x, n, largest)));
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = (x[i] - largest) - log_sum;
  }
}

/// dx (+)= y (dy - sum(dy y)).
template <bool Accumulate, class T>
void softmax_gradient_row(const T* dy, const T* y, std::int64_t n, T* dx) {
  const T dot = static_cast<T>(kernels::sum_terms<T>(n, [&](std::int64_t i, std::int64_t count) {
    return kernels::load(dy + i, count) * kernels::load(y + i, count);
  }));
  for (std::int64_t i = 0; i < n; ++i) {
    const T g = y[i] * (dy[i] - dot);
    dx[i] = Accumulate ? dx[i] + g : g;
  }
}

/// dx (+)= dy - e^y sum(dy).
template <bool Accumulate, class T>
void log_softmax_gradient_row(const T* dy, const T* y, std::int64_t n, T* dx) {
  using V = simd::Batch<T>;
  const V sum(static_cast<T>(kernels::sum_row(dy, n)));
  kernels::for_registers<T>(n, [&](std::int64_t i, std::int64_t count) {
    V g = kernels::load(dy + i, count) - simd::exp(kernels::load(y + i, count)) * sum;
    if constexpr (Accumulate) {
      g += kernels::load(dx + i, count);
    }
    kernels::store(g, dx + i, count);
  });
}

/// A new tensor of x's shape, computed row by row with row(x, n, y).
template <class Row>
Tensor map_rows(const Tensor& x, const Row& row) {
  Tensor y = detail::make_tensor(x.shape(), x.dtype());
  if (x.elements() > 0) {
    dispatch_floating(x.dtype(), [&](auto type) {
      using T = decltype(type);
      launch([row, from = rows_of<T>(x), rows = x.rows(), columns = x.columns(),
              to = y.mutable_data<T>()] {
        for (std::int64_t r = 0; r < rows; ++r) {
          row(from.row(r), columns, to + r * columns);
        }
      });
    });
  }
  return y;
}

Tensor softmax_of_columns(const Tensor& x) {
  const Tensor value =
      map_rows(x, []<class T>(const T* from, std::int64_t n, T* to) { softmax_row(from, n, to); });
  return record("softmax", {x}, value, saved(value),
                [](const Tensor& dy, Gradients& d, const Tensor& y) {
                  d.add_rows(
                      0, [&] { return y * (dy - sum(dy * y, {-1}, true)); },
                      [&]<class T>(const GradientRows<T>& dx) {
                        dx.each_row([dy_ = rows_of<T>(dy), y_ = rows_of<T>(y), n = dx.columns](
                                        auto accumulate, std::int64_t r, T* to) {
                          softmax_gradient_row<accumulate()>(dy_.row(r), y_.row(r), n, to);
                        });
                      });
                });
}

Tensor log_softmax_of_columns(const Tensor& x) {
  const Tensor value = map_rows(
      x, []<class T>(const T* from, std::int64_t n, T* to) { log_softmax_row(from, n, to); });
  return record("log_softmax", {x}, value, saved(value),
                [](const Tensor& dy, Gradients& d, const Tensor& y) {
                  d.add_rows(
                      0, [&] { return dy - exp(y) * sum(dy, {-1}, true); },
                      [&]<class T>(const GradientRows<T>& dx) {
                        dx.each_row([dy_ = rows_of<T>(dy), y_ = rows_of<T>(y), n = dx.columns](
                                        auto accumulate, std::int64_t r, T* to) {
                          log_softmax_gradient_row<accumulate()>(dy_.row(r), y_.row(r), n, to);
                        });
                      });
                });
}

template <class Operation>
Tensor along(const char* who, const Tensor& x, int axis, Operation&& operation) {
  check<UsageError>(is_floating(x.dtype()),
                    "{}: got an int64 tensor, expected float32 or float64; convert with to()", who);
  const int front = detail::front_axis(who, x.shape(), axis);
  if (front == x.rank() - 1) {
    return operation(x);
  }
  return transpose(operation(transpose(x, front, -1)), front, -1);
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) { return along("softmax", x, axis, softmax_of_columns); }

Tensor log_softmax(const Tensor& x, int axis) {
  return along("log_softmax", x, axis, log_softmax_of_columns);
}

}  // namespace rw
