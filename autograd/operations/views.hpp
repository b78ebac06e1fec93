#pragma once
// Views: slices, column slices and reshapes share storage, record nothing and cost nothing. Their
// gradient is that part of the whole's (Note [Gradients of views], tape/detail/gradient_slot.cpp).
// Where the layout (rows a fixed distance apart, contiguous within) cannot
// express the result, these functions copy instead.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include <rewind/autograd/tape/operand.hpp>
#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tape/view.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// The same elements in row-major order as `shape`: `x` itself where it has that shape. Throws
/// ShapeError when the counts differ.
Tensor reshape(const Tensor& x, const Shape& shape);
/// The same, where one size may be -1, which stands for what the others leave: reshape(x [6, 4],
/// {-1, 3}) is [8, 3]. Throws ShapeError where no size, or more than one, would do.
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
/// Slices of the sizes `sizes` into `parts`; of the one size axis / parts without them.
void split_into(Tensor x, std::span<const std::int64_t> sizes, int axis, std::span<Tensor> parts);
}  // namespace detail

/// The same with the number known at compile time: auto [i, f, g, o] = split<4>(z). A tensor given
/// with std::move hands on to its parts that nobody else reads them (Note [Products in place]).
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
/// Not for a const tensor given with std::move: nothing can be taken over from it. Declare it
/// without const.
template <int Parts, TensorLike T>
requires std::same_as<T, const Tensor>
void split(T&& const_tensor_given_with_move, int axis = -1) = delete;
template <std::size_t Parts, TensorLike T>
requires std::same_as<T, const Tensor>
void split(T&& const_tensor_given_with_move, const std::int64_t (&sizes)[Parts],
           int axis = -1) = delete;

namespace detail {
/// `x` as the result of an operation of its own: what is added to its gradient is summed before it
/// reaches x.
Tensor alias(const char* name, const Tensor& x);
/// Zeros of `shape` with `x` in the part [begin, end) of `axis`; the adjoint of slice.
Tensor place(const Tensor& x, const Shape& shape, int axis, std::int64_t begin, std::int64_t end);
}  // namespace detail

}  // namespace rw
