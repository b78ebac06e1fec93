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
/// may be transposed(...) without a copy. k = 0 gives zeros. Throws ShapeError if the inner sizes
/// or the leading axes differ.
Tensor matmul(const MatrixOperand& a, const MatrixOperand& b);

namespace detail {
/// addmm and addmm_columns, which take `c` by value.
Tensor sum_with_product(Tensor c, const Tensor& a, const Tensor& b);
Tensor sum_with_product(Tensor c, const Tensor& a, const Tensor& b, std::int64_t first);
}  // namespace detail

/// c + a b, as one operation: a [m, k] and b [k, n] matrices, c [m, n], or [n] to be added to every
/// row (a bias).
///
/// `a` may have more leading axes, which become rows: [..., k] x [k, n] -> [..., n]. If a cell's
/// step moves in its part of a projected sequence, the product is added in place. Throws ShapeError
/// when sizes differ.
template <TensorLike C>
Tensor addmm(C&& c, const Tensor& a, const Tensor& b) {
  return detail::sum_with_product(detail::take_over(std::forward<C>(c)), a, b);
}

/// The same with a wider c [m, N] (or [N]): the product is added to its columns from `first` on,
/// the others do not change.
template <TensorLike C>
Tensor addmm_columns(C&& c, const Tensor& a, const Tensor& b, std::int64_t first) {
  return detail::sum_with_product(detail::take_over(std::forward<C>(c)), a, b, first);
}

/// Deleted for std::move of a const tensor, such as a part of `const auto [a, b] = split<2>(z)`,
/// which cannot be overwritten. Declare it without const.
template <TensorLike C>
requires std::same_as<C, const Tensor>
void addmm(C&& const_tensor_given_with_move, const Tensor& a, const Tensor& b) = delete;
template <TensorLike C>
requires std::same_as<C, const Tensor>
void addmm_columns(C&& const_tensor_given_with_move, const Tensor& a, const Tensor& b,
                   std::int64_t first) = delete;

// Note [Products in place]
// Recurrent projects the inputs of all steps at once and gives each step its part as an exclusive
// tensor (Note [Ownership], tensor/ownership.hpp); split marks the parts of a tensor that was moved
// into it. If a step moves such a tensor, or one that owns its memory alone, into addmm, the
// product is added in place. The result takes over the memory, and in the backward pass its
// gradient is that part of the sequence's gradient: nothing is copied either way. For a cell that
// keeps or reads its input elsewhere, addmm copies.

}  // namespace rw
