#pragma once

#include <rewind/autograd/tape/gradients.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Matrix product over the last two axes.
///
///   [m, k] x [k, n] -> [m, n];   [..., m, k] x [k, n] -> [..., m, n];   [..., m, k] x [..., k, n]
///   -> [..., m, n]
///
/// Leading axes must be equal, or absent on the right. Either side of a two-axis or batched product
/// may be transposed(...) without a copy. k = 0 gives zeros. Throws ShapeError when the inner sizes
/// or the leading axes differ.
Tensor matmul(const MatrixOperand& a, const MatrixOperand& b);

namespace detail {
/// addmm and addmm_columns of a handle of their own.
Tensor sum_with_product(Tensor c, const Tensor& a, const Tensor& b);
Tensor sum_with_product(Tensor c, const Tensor& a, const Tensor& b, std::int64_t first);
}  // namespace detail

/// c + a b, as one operation: a [m, k] and b [k, n] matrices, c [m, n], or [n] to be added to every
/// row (a bias).
///
/// `a` may have more leading axes, which become rows: [..., k] x [k, n] -> [..., n]. Given its part
/// of a projected sequence with std::move, a cell's step has the product added in place. Throws
/// ShapeError when sizes differ.
template <TensorLike C>
Tensor addmm(C&& c, const Tensor& a, const Tensor& b) {
  return detail::sum_with_product(detail::take_over(std::forward<C>(c)), a, b);
}

/// The same with a wider c [m, N] (or [N]): the product is added to its columns from `first` on,
/// the others stay as they are.
template <TensorLike C>
Tensor addmm_columns(C&& c, const Tensor& a, const Tensor& b, std::int64_t first) {
  return detail::sum_with_product(detail::take_over(std::forward<C>(c)), a, b, first);
}

/// Not for a const tensor given with std::move, such as a part of `const auto [a, b] =
/// split<2>(z)`: nothing can be added in place of it. Declare it without const.
template <TensorLike C>
requires std::same_as<C, const Tensor>
void addmm(C&& const_tensor_given_with_move, const Tensor& a, const Tensor& b) = delete;
template <TensorLike C>
requires std::same_as<C, const Tensor>
void addmm_columns(C&& const_tensor_given_with_move, const Tensor& a, const Tensor& b,
                   std::int64_t first) = delete;

namespace detail {

// Note [Products in place]
// Recurrent projects the inputs of all steps at once and hands each step its part, which nobody
// else will read again. It says so with mark_exclusive; split hands the mark on to the parts of a
// tensor that it was given with std::move, and any other new view takes it away. If the step passes
// such a handle, or the only one to its memory, on to addmm with std::move, the product is added in
// place: the result takes over the memory, and in the backward pass its gradient is that part of
// the sequence's gradient, so that nothing is copied either way. A cell that keeps or reads its
// input elsewhere is served by the ordinary way.

/// Whether `t` is the only handle to its memory.
bool is_sole_owner(const Tensor& t);
/// Says that only this handle will be used to read its part of the memory.
void mark_exclusive(Tensor& t);
/// Whether no other handle can read what `t` shows.
bool may_be_overwritten(const Tensor& t);

}  // namespace detail

}  // namespace rw
