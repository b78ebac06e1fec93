#pragma once
// Views: slices, column slices and reshapes share storage, record nothing and cost nothing (Note
// [Gradients of views]). Where the layout (rows a fixed distance apart, contiguous within) cannot
// express the result, these functions copy instead.

#include <array>
#include <cstdint>
#include <utility>

#include <rewind/autograd/record.hpp>
#include <rewind/autograd/tensor.hpp>

namespace rw {

/// `x` itself when it is dense, otherwise a dense copy.
Tensor contiguous(const Tensor& x);

/// The same elements in row-major order as `shape`. Throws ShapeError when the counts differ.
Tensor reshape(const Tensor& x, const Shape& shape);

/// `x` with a new axis of size 1 in front of `axis` (0 <= axis <= rank).
Tensor unsqueeze(const Tensor& x, int axis);
/// `x` without `axis`, which must have size 1.
Tensor squeeze(const Tensor& x, int axis);

/// The part [begin, end) of `axis`. A view for the last axis and for the first axis of more than
/// one element; a copy otherwise. Throws ShapeError unless 0 <= begin <= end <= size.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end);

/// Element `index` of `axis`, which disappears: select(x [T, B, F], 0, t) is [B, F]. Negative
/// indices count from the end.
Tensor select(const Tensor& x, int axis, std::int64_t index);

/// `parts` slices of equal size along `axis`.
TensorList split(const Tensor& x, int parts, int axis = -1);

/// The same with the number known at compile time: auto [i, f, g, o] = split<4>(z).
template <int Parts>
std::array<Tensor, Parts> split(const Tensor& x, int axis = -1) {
  const std::int64_t size = x.size(axis) / Parts;
  check_shape(size * Parts == x.size(axis), "split: axis {} of {} does not divide into {} parts",
              axis, x.shape(), Parts);
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return std::array<Tensor, Parts>{slice(x, axis, I * size, (I + 1) * size)...};
  }
  (std::make_integer_sequence<int, Parts>{});
}

namespace detail {
/// The part of `x` that `region` describes; the adjoint of adding into that part of a gradient.
Tensor part(const Tensor& x, const Region& region);
/// Zeros of `shape` with `x` in the part [begin, end) of `axis`; the adjoint of slice.
Tensor place(const Tensor& x, const Shape& shape, int axis, std::int64_t begin, std::int64_t end);
}  // namespace detail

}  // namespace rw
