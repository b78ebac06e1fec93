#include <algorithm>
#include <array>
#include <bitset>

#include <rewind/autograd/fuse/broadcast.hpp>
#include <rewind/autograd/fuse/reduction.hpp>
#include <rewind/autograd/tape/record.hpp>

namespace rw {
namespace {

/// Fills rows of `to`, which has `shape`, with the elements of x broadcast to it: `from`, of shape
/// `x`, its rows `row_stride` apart.
template <class T>
void expand_into(T* to, const Shape& shape, const T* from, const Shape& x,
                 std::int64_t row_stride) {
  if (shape.elements() == 0) {
    return;
  }
  if (x.elements() == 1) {
    std::fill_n(to, shape.elements(), *from);
    return;
  }
  // Elements of `x` from one index to the next along each axis of `shape`, 0 if it broadcasts.
  std::array<std::int64_t, Shape::max_rank> steps{};
  const int rank = shape.rank();
  const int shift = rank - x.rank();
  std::int64_t step = row_stride;
  for (int axis = x.rank() - 2; axis >= 0; --axis) {
    steps[static_cast<std::size_t>(axis + shift)] = x[axis] == 1 ? 0 : step;
    step *= x[axis];
  }
  const bool fills = x.columns() == 1;
  const std::int64_t columns = shape.columns();
  std::array<std::int64_t, Shape::max_rank> index{};
  std::int64_t offset = 0;
  for (std::int64_t row = 0, rows = shape.rows(); row < rows; ++row, to += columns) {
    if (fills) {
      std::fill_n(to, columns, from[offset]);
    } else {
      std::copy_n(from + offset, columns, to);
    }
    for (int axis = rank - 2; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      offset += steps[a];
      if (++index[a] < shape.sizes()[a]) {
        break;
      }
      offset -= index[a] * steps[a];
      index[a] = 0;
    }
  }
}

}  // namespace

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) {
    return x;
  }
  check<UsageError>(is_floating(x.dtype()),
                    "sum_to: got an int64 tensor, expected float32 or float64; convert with to()");
  const int shift = x.rank() - shape.rank();
  std::bitset<Shape::max_rank> axes;
  bool fits = shift >= 0;
  for (int axis = 0; fits && axis < x.rank(); ++axis) {
    const bool is_broadcast = axis < shift || (shape[axis - shift] == 1 && x.size(axis) != 1);
    fits = is_broadcast || shape[axis - shift] == x.size(axis);
    axes[static_cast<std::size_t>(axis)] = is_broadcast;
  }
  check_shape(fits, "sum_to: {} does not broadcast to {}", shape, x.shape());
  detail::ReductionPlan r = detail::reduction_plan(x.shape(), axes, true);
  r.result = shape;
  return record("sum_to", {x}, detail::sum_over(x, r, 1.0), saved(),
                [from = x.shape()](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return expand(dy, from); });
                });
}

Tensor detail::broadcast_to(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : expand(x, shape);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  const int shift = shape.rank() - x.rank();
  bool fits = shift >= 0;
  for (int axis = 0; fits && axis < x.rank(); ++axis) {
    fits = x.size(axis) == 1 || x.size(axis) == shape[axis + shift];
  }
  check_shape(fits, "expand: {} does not broadcast to {}", x.shape(), shape);
  Tensor y = detail::make_tensor(shape, x.dtype());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = y.mutable_data<T>(), shape, from = x.data<T>(), x_shape = x.shape(),
            stride = x.row_stride()] { expand_into(to, shape, from, x_shape, stride); });
  });
  return record("expand", {x}, std::move(y), saved(),
                [from = x.shape()](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return sum_to(dy, from); });
                });
}

}  // namespace rw
