#include <rewind/autograd/detail/strided.hpp>
#include <rewind/autograd/matmul.hpp>
#include <rewind/autograd/views.hpp>

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

/// Whether the elements of `x`, and of its part of the gradient, follow each other without gaps.
bool is_dense(const Tensor& x) {
  if (!x.is_contiguous()) {
    return false;
  }
  const detail::TensorBody& body = x.body();
  if (body.link.node == nullptr || body.link.row_stride == x.columns()) {
    return true;
  }
  return x.elements() <= x.columns() || detail::link_of(x).node == nullptr;
}

/// A slice that the layout cannot express: parts of `outer` blocks.
Tensor copied_slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  const Shape shape = x.shape();
  const Tensor dense = contiguous(x);
  Tensor y = detail::make_tensor(shape.with(axis, end - begin), x.dtype());
  const int front = static_cast<int>(shape.normalized(axis));
  const std::int64_t outer = shape.product(0, front);
  const std::int64_t inner = shape.product(front + 1, shape.rank());
  const std::int64_t size = shape[axis];
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    kernels::copy_rows<T>(y.mutable_data<T>(), (end - begin) * inner,
                          dense.data<T>() + begin * inner, size * inner, outer,
                          (end - begin) * inner);
  });
  return record("slice", {dense}, std::move(y), saved(),
                [shape, front, begin, end](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return detail::place(dy, shape, front, begin, end); });
                });
}

}  // namespace

namespace detail {

Tensor part(const Tensor& x, const Region& region) {
  const Tensor dense = contiguous(x);
  return make_view(dense, link_of(dense), region.shape, region.offset, region.row_stride,
                   region.offset, region.row_stride);
}

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
    kernels::copy_rows<T>(y.mutable_data<T>() + begin * inner, shape[axis] * inner, dense.data<T>(),
                          (end - begin) * inner, outer, (end - begin) * inner);
  });
  return record("place", {dense}, std::move(y), saved(),
                [axis, begin, end](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return slice(dy, axis, begin, end); });
                });
}

}  // namespace detail

Tensor contiguous(const Tensor& x) {
  if (is_dense(x)) {
    return x;
  }
  return record("contiguous", {x}, x.clone(), saved(),
                [](const Tensor& dy, Gradients& d) { d.add(0, [&] { return dy; }); });
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_shape(shape.elements() == x.elements(), "reshape: {} has {} elements, {} has {}", x.shape(),
              x.elements(), shape, shape.elements());
  if (shape == x.shape()) {
    return x;
  }
  if (is_dense(x)) {
    return view(x, shape, 0, 0, true);
  }
  if (shape.columns() == x.columns()) {
    return view(x, shape, 0, 0, false);
  }
  return view(contiguous(x), shape, 0, 0, true);
}

Tensor unsqueeze(const Tensor& x, int axis) { return reshape(x, x.shape().inserted(axis, 1)); }

Tensor squeeze(const Tensor& x, int axis) {
  check_shape(x.size(axis) == 1, "squeeze: axis {} of {} has size {}, expected 1", axis, x.shape(),
              x.size(axis));
  return reshape(x, x.shape().without(axis));
}

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  const Shape& shape = x.shape();
  const int front = static_cast<int>(shape.normalized(axis));
  const std::int64_t size = shape[front];
  check_shape(0 <= begin && begin <= end && end <= size,
              "slice: [{}, {}) does not lie in axis {} of {} (size {})", begin, end, axis, shape,
              size);
  if (begin == 0 && end == size) {
    return x;
  }
  const Shape result = shape.with(front, end - begin);
  if (front + 1 == shape.rank()) {
    const bool one_row = shape.rows() <= 1;
    return view(x, result, 0, begin, one_row);
  }
  if (shape.product(0, front) <= 1) {
    const std::int64_t rows_each = shape.product(front + 1, shape.rank() - 1);
    return view(x, result, begin * rows_each, 0, false);
  }
  return copied_slice(x, front, begin, end);
}

Tensor select(const Tensor& x, int axis, std::int64_t index) {
  const std::int64_t size = x.size(axis);
  const std::int64_t front = index < 0 ? index + size : index;
  check_shape(0 <= front && front < size,
              "select: index {} does not lie in axis {} of {} (size {})", index, axis, x.shape(),
              size);
  const Shape& shape = x.shape();
  const int position = static_cast<int>(shape.normalized(axis));
  if (position + 1 < shape.rank() && shape.product(0, position) == 1) {
    const std::int64_t rows_each = shape.product(position + 1, shape.rank() - 1);
    return view(x, shape.without(position), front * rows_each, 0, false);
  }
  return reshape(slice(x, axis, front, front + 1), shape.without(axis));
}

void detail::split_into(Tensor x, std::span<const std::int64_t> sizes, int axis,
                        std::span<Tensor> parts) {
  const auto count = static_cast<std::int64_t>(parts.size());
  const std::int64_t all = x.size(axis);
  std::int64_t sum = sizes.empty() ? all / count * count : 0;
  for (const std::int64_t size : sizes) {
    sum += size;
  }
  check_shape(sum == all, "split: axis {} of {} does not divide into {} parts{}", axis, x.shape(),
              count, sizes.empty() ? "" : " of the sizes given");
  const bool exclusive = may_be_overwritten(x);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t end = begin + (sizes.empty() ? all / count : sizes[i]);
    parts[i] = slice(x, axis, begin, end);
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
