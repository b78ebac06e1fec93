#pragma once
// Sorting along an axis. It is stable, with -0 equal to 0; NaNs come last in either direction. The
// gradient of a value goes to the element that it was.

#include <cstdint>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Elements and their original indices: values = gather(x, indices, axis).
struct Sorted {
  Tensor values;
  Tensor indices;  ///< int64, of the shape of values
};

/// The elements along `axis` in increasing order, or in decreasing order. Takes int64 tensors, too.
/// Throws ShapeError for an axis that `x` does not have.
///
///     auto [values, indices] = sort(scores, -1, true);
Sorted sort(const Tensor& x, int axis = -1, bool descending = false);

/// The `k` largest elements along the last axis, largest first: x [..., n] -> [..., k]. The first k
/// results of sort(x, -1, true). Throws ShapeError unless 0 <= k <= n.
Sorted topk(const Tensor& x, std::int64_t k);

}  // namespace rw
