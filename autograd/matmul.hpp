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
/// `a` may have more leading axes, which become rows: [..., k] x [k, n] -> [..., n]. Throws
/// ShapeError when sizes differ.
Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b);

}  // namespace rw
