#pragma once
// Broadcasting as NumPy does, and its gradient: each is the other's.

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// The sum over the axes along which `shape` was broadcast to get `x`'s shape; the gradient of
/// expand. `x` itself where it has that shape. Throws ShapeError when `shape` does not broadcast to
/// x's.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// `x` broadcast to `shape`, always copied. Throws ShapeError when x's shape does not broadcast to
/// it.
Tensor expand(const Tensor& x, const Shape& shape);

namespace detail {
/// expand, but `x` itself where it has that shape.
Tensor stretched(const Tensor& x, const Shape& shape);
}  // namespace detail

}  // namespace rw
