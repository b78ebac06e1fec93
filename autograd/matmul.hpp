#pragma once

#include <rewind/autograd/gradients.hpp>
#include <rewind/autograd/tensor.hpp>

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

/// c + a b, as one operation: a [m, k] and b [k, n] matrices, c [m, n], or [n] to be added to every
/// row (a bias).
///
/// `a` may have more leading axes, which become rows: [..., k] x [k, n] -> [..., n]. Given its part
/// of a projected sequence with std::move, a cell's step has the product added in place. Throws
/// ShapeError when sizes differ.
Tensor addmm(Tensor c, const Tensor& a, const Tensor& b);

namespace detail {

// Note [Products in place]
// Recurrent projects the inputs of all steps at once and hands each step its part, which nobody
// else will read again. It says so with mark_exclusive. If the step passes that very handle on to
// addmm, and no other view of the memory has been made since, the product is added in place: the
// result takes over the memory, and in the backward pass its gradient is that part of the
// sequence's gradient, so that nothing is copied either way. The count of references of the block
// proves that no other handle came into being, so a cell that keeps or reads its input elsewhere is
// served by the ordinary way.

/// Whether `t` is the only handle to its memory.
bool is_sole_owner(const Tensor& t);
/// Says that only this handle will be used to read its part of the memory.
void mark_exclusive(Tensor& t);

}  // namespace detail

}  // namespace rw
