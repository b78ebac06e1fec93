#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include <rewind/autograd/kernels/strided.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/described.hpp>
#include <rewind/autograd/tensor/axis.hpp>

namespace rw {
namespace {

/// Rows `row_begin` onwards and columns `column_begin` onwards of `x`, read as `shape`.
Tensor view(const Tensor& x, const Shape& shape, std::int64_t row_begin, std::int64_t column_begin,
            bool dense_result) {
  const detail::Link link = detail::link_of(x);
  const std::int64_t x_stride = x.row_stride();
  return detail::make_view(x, link, shape, row_begin * x_stride + column_begin,
                           dense_result ? shape.columns() : x_stride,
                           row_begin * link.row_stride + column_begin,
                           dense_result ? shape.columns() : link.row_stride);
}

/// A slice that a view cannot express: copies the parts of `outer` blocks.
Tensor copied_slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  const Shape shape = x.shape();
  const Tensor dense = contiguous(x);
  Tensor y = detail::make_tensor(shape.with(axis, end - begin), x.dtype());
  const std::int64_t outer = shape.product(0, axis);
  const std::int64_t inner = shape.product(axis + 1, shape.rank());
  const std::int64_t size = shape[axis];
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = y.mutable_data<T>(), from = dense.data<T>() + begin * inner, stride = size * inner,
            outer, columns = (end - begin) * inner] {
      kernels::copy_rows(to, columns, from, stride, outer, columns);
    });
  });
  return record("slice", {dense}, std::move(y), saved(),
                [shape, axis, begin, end](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return detail::place(dy, shape, axis, begin, end); });
                });
}

/// The part [begin, end) of `axis`; both are checked by the caller.
Tensor part_of_axis(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  const Shape& shape = x.shape();
  if (begin == 0 && end == shape[axis]) {
    return x;
  }
  const Shape result = shape.with(axis, end - begin);
  if (axis + 1 == shape.rank()) {
    const bool one_row = shape.rows() <= 1;
    return view(x, result, 0, begin, one_row);
  }
  if (shape.product(0, axis) <= 1) {
    const std::int64_t rows_each = shape.product(axis + 1, shape.rank() - 1);
    return view(x, result, begin * rows_each, 0, false);
  }
  return copied_slice(x, axis, begin, end);
}

Tensor part_at(const char* who, const Tensor& x, int axis, std::int64_t index) {
  const Shape& shape = x.shape();
  const int position = detail::front_axis(who, shape, axis);
  const std::int64_t size = shape[position];
  const std::int64_t front = index < 0 ? index + size : index;
  check_shape(0 <= front && front < size, "{}: index {} does not lie in axis {} of {} (size {})",
              who, index, axis, shape, size);
  if (position + 1 < shape.rank() && shape.product(0, position) == 1) {
    const std::int64_t rows_each = shape.product(position + 1, shape.rank() - 1);
    return view(x, shape.without(position), front * rows_each, 0, false);
  }
  return reshape(part_of_axis(x, position, front, front + 1), shape.without(position));
}

}  // namespace

namespace detail {

Tensor alias(const char* name, const Tensor& x) {
  return record(name, {x}, x.detach(), saved(),
                [](const Tensor& dy, Gradients& d) { d.add(0, [&] { return dy; }); });
}

Tensor place(const Tensor& x, const Shape& shape, int axis, std::int64_t begin, std::int64_t end) {
  Tensor y = zeros(shape, x.dtype());
  const Tensor dense = contiguous(x);
  const std::int64_t outer = shape.product(0, axis);
  const std::int64_t inner = shape.product(axis + 1, shape.rank());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = y.mutable_data<T>() + begin * inner, stride = shape[axis] * inner,
            from = dense.data<T>(), outer, columns = (end - begin) * inner] {
      kernels::copy_rows(to, stride, from, columns, outer, columns);
    });
  });
  return record("place", {dense}, std::move(y), saved(),
                [axis, begin, end](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return slice(dy, axis, begin, end); });
                });
}

}  // namespace detail

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_shape(shape.elements() == x.elements(), "reshape: {} has {} elements, {} has {}", x.shape(),
              x.elements(), shape, shape.elements());
  if (shape == x.shape()) {
    return x;
  }
  if (detail::is_dense(x)) {
    return view(x, shape, 0, 0, true);
  }
  if (shape.columns() == x.columns()) {
    return view(x, shape, 0, 0, false);
  }
  return view(contiguous(x), shape, 0, 0, true);
}

Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes) {
  const auto open = std::find(sizes.begin(), sizes.end(), -1);
  if (open == sizes.end()) {
    return reshape(x, Shape(sizes));
  }
  std::vector<std::int64_t> others(sizes);
  const auto axis = open - sizes.begin();
  others[static_cast<std::size_t>(axis)] = 1;
  check_shape(std::find(others.begin(), others.end(), -1) == others.end(),
              "reshape: got several sizes of -1, expected at most one (x is {})", x.shape());
  const Shape rest{std::span<const std::int64_t>(others)};
  if (rest.elements() == 0 || x.elements() % rest.elements() != 0) [[unlikely]] {
    throw ShapeError(fmt::format(
        "reshape: {} has {} elements, and no one size in place of -1 makes [{}] hold them",
        x.shape(), x.elements(), fmt::join(sizes, ", ")));
  }
  return reshape(x, rest.with(static_cast<int>(axis), x.elements() / rest.elements()));
}

Tensor unsqueeze(const Tensor& x, int axis) {
  check_shape(
      0 <= axis && axis <= x.rank() && x.rank() < Shape::max_rank,
      "unsqueeze: no axis can be put in front of axis {} of {}, expected 0 to {} and at most "
      "{} axes",
      axis, x.shape(), x.rank(), Shape::max_rank - 1);
  return reshape(x, x.shape().inserted(axis, 1));
}

Tensor squeeze(const Tensor& x, int axis) {
  const int front = detail::front_axis("squeeze", x.shape(), axis);
  check_shape(x.size(front) == 1, "squeeze: axis {} of {} has size {}, expected 1", axis, x.shape(),
              x.size(front));
  return reshape(x, x.shape().without(front));
}

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  const int front = detail::front_axis("slice", x.shape(), axis);
  const std::int64_t size = x.size(front);
  check_shape(0 <= begin && begin <= end && end <= size,
              "slice: [{}, {}) does not lie in axis {} of {} (size {})", begin, end, axis,
              x.shape(), size);
  return part_of_axis(x, front, begin, end);
}

Tensor select(const Tensor& x, int axis, std::int64_t index) {
  return part_at("select", x, axis, index);
}

Tensor Tensor::operator[](std::int64_t index) const {
  return part_at("operator[]", *this, 0, index);
}

void detail::split_into(Tensor x, std::span<const std::int64_t> sizes, int axis,
                        std::span<Tensor> parts) {
  const int front = front_axis("split", x.shape(), axis);
  const auto count = static_cast<std::int64_t>(parts.size());
  const std::int64_t all = x.size(front);
  std::int64_t rest = sizes.empty() ? all % count : all;
  for (const std::int64_t size : sizes) {
    rest = 0 <= size && size <= rest ? rest - size : -1;
  }
  check_shape(rest == 0, "split: axis {} of {} does not divide into {} parts{}", axis, x.shape(),
              count, sizes.empty() ? "" : " of the sizes given");
  const bool exclusive = may_be_overwritten(x);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t end = begin + (sizes.empty() ? all / count : sizes[i]);
    parts[i] = part_of_axis(x, front, begin, end);
    if (exclusive) {
      mark_exclusive(parts[i]);
    }
    begin = end;
  }
}

TensorList split(const Tensor& x, int parts, int axis) {
  check<UsageError>(parts > 0, "split: got {} parts, expected at least 1", parts);
  TensorList result(static_cast<std::size_t>(parts));
  detail::split_into(x, {}, axis, result);
  return result;
}

}  // namespace rw
