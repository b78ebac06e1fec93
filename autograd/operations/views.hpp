#pragma once
// Views: slices, column slices and reshapes share storage, record nothing and cost nothing. Their
// gradient is a part of the whole's gradient (Note [Gradients of views],
// tape/detail/gradient_slot.cpp). If the layout (contiguous rows at a fixed stride) cannot express
// the result, these functions copy instead.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include <rewind/autograd/tape/operand.hpp>
#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tape/view.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// The same elements in row-major order with shape `shape`; `x` itself if it has that shape. Throws
/// ShapeError when the numbers of elements differ.
Tensor reshape(const Tensor& x, const Shape& shape);
/// The same, where one size may be -1 and is computed from the others: reshape(x [6, 4], {-1, 3})
/// is [8, 3]. Throws ShapeError if no size, or more than one, is possible.
Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes);

/// `x` with a new axis of size 1 in front of `axis` (0 <= axis <= rank).
Tensor unsqueeze(const Tensor& x, int axis);
/// `x` without `axis`, which must have size 1.
Tensor squeeze(const Tensor& x, int axis);

/// The part [begin, end) of `axis`: `x` itself for all of it. A view for the last axis and for the
/// first axis of more than one element; a copy otherwise. Throws ShapeError unless 0 <= begin <=
/// end <= size.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end);

/// Element `index` of `axis`, which disappears: select(x [T, B, F], 0, t) is [B, F]. Negative
/// indices count from the end. x[index] is select(x, 0, index).
Tensor select(const Tensor& x, int axis, std::int64_t index);

/// `parts` slices of equal size along `axis`.
TensorList split(const Tensor& x, int parts, int axis = -1);

namespace detail {
/// Slices of `sizes` into `parts`; of equal sizes if `sizes` is empty.
void split_into(Tensor x, std::span<const std::int64_t> sizes, int axis, std::span<Tensor> parts);
}  // namespace detail

/// The same with the number known at compile time: auto [i, f, g, o] = split<4>(z). Moving x in
/// marks the parts as exclusively owned if x was (Note [Products in place]).
template <int Parts, TensorLike T>
std::array<Tensor, std::size_t{Parts}> split(T&& x, int axis = -1) {
  std::array<Tensor, std::size_t{Parts}> parts;
  detail::split_into(detail::take_over(std::forward<T>(x)), {}, axis, parts);
  return parts;
}
/// The same with parts of these sizes: auto [gates, candidate] = split(z, {2 * hidden, hidden}).
/// Throws ShapeError unless they add up to the axis.
template <std::size_t Parts, TensorLike T>
std::array<Tensor, Parts> split(T&& x, const std::int64_t (&sizes)[Parts], int axis = -1) {
  std::array<Tensor, Parts> parts;
  detail::split_into(detail::take_over(std::forward<T>(x)), sizes, axis, parts);
  return parts;
}
/// Deleted for std::move of a const tensor, which cannot pass on its memory. Declare it without
/// const.
template <int Parts, TensorLike T>
requires std::same_as<T, const Tensor>
void split(T&& const_tensor_given_with_move, int axis = -1) = delete;
template <std::size_t Parts, TensorLike T>
requires std::same_as<T, const Tensor>
void split(T&& const_tensor_given_with_move, const std::int64_t (&sizes)[Parts],
           int axis = -1) = delete;

namespace detail {
/// `x` as the result of a separate operation: contributions to its gradient are summed before they
/// reach x.
Tensor alias(const char* name, const Tensor& x);
/// Zeros of `shape` with `x` in the part [begin, end) of `axis`; the gradient of slice.
Tensor place(const Tensor& x, const Shape& shape, int axis, std::int64_t begin, std::int64_t end);
}  // namespace detail

}  // namespace rw
