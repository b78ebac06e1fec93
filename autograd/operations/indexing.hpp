#pragma once
// Selection by index. Indices are int64 tensors, counted from 0; a negative or too large index
// throws ShapeError before anything is written. Gradients accumulate if an index occurs more than
// once.

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Slices `indices` [n] of `axis`, in that order: y[.., j, ..] = x[.., indices[j], ..]. With axis 0
/// these are rows.
Tensor index_select(const Tensor& x, const Tensor& indices, int axis = 0);
/// The gradient of index_select: zeros with `size` slices along `axis`, in which the slices of `x`
/// accumulate: y[.., indices[j], ..] += x[.., j, ..].
Tensor index_add(const Tensor& x, const Tensor& indices, std::int64_t size, int axis = 0);

/// Rows of `table` [V, F], one for each index: indices [..] give [.., F]. In a backward pass rows
/// accumulate directly in the table's gradient, without a temporary of the table's size.
Tensor embedding(const Tensor& table, const Tensor& indices);

/// One element per index; `indices` has the rank of `x`: for axis 1 of three, y[i, j, k] = x[i,
/// indices[i, j, k], k]. Along other axes `indices` may be shorter than `x`, and the result has the
/// shape of `indices`.
Tensor gather(const Tensor& x, const Tensor& indices, int axis);
/// The gradient of gather: zeros of `shape`, in which the elements of `x` accumulate; for axis 1 of
/// three, y[i, indices[i, j, k], k] += x[i, j, k]. `x` has the shape of `indices`.
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Shape& shape, int axis);

/// indices [..] -> [.., classes]: 1 at the index, 0 elsewhere.
Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype = DType::float32);

}  // namespace rw
