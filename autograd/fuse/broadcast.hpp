#pragma once
// Broadcasting as in NumPy, and sums over broadcast axes: each is the gradient of the other.

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// The sum over the axes along which `shape` was broadcast to get `x`'s shape; the gradient of
/// expand. `x` itself if it has that shape. Throws ShapeError if `shape` does not broadcast to x's.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// `x` broadcast to `shape`, always copied. Throws ShapeError if x's shape does not broadcast to
/// it.
Tensor expand(const Tensor& x, const Shape& shape);

namespace detail {
/// expand, but `x` itself if it has that shape.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
}  // namespace detail

}  // namespace rw
