#pragma once
// Order along an axis. Equal elements keep their order, -0 and 0 being equal; NaNs come last
// whichever way is asked for. The gradient of a value goes to the element that it is.

#include <cstdint>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Elements and where they stood: values = gather(x, indices, axis).
struct Sorted {
  Tensor values;
  Tensor indices;  ///< int64, of the shape of values
};

/// The elements along `axis` in increasing order, or in decreasing order. Takes int64 tensors, too.
/// Throws ShapeError for an axis that `x` does not have.
///
///     auto [values, indices] = sort(scores, -1, true);
Sorted sort(const Tensor& x, int axis = -1, bool descending = false);

/// The `k` largest elements along the last axis, largest first: x [..., n] -> [..., k]. What
/// sort(x, -1, true) has in front. Throws ShapeError unless 0 <= k <= n.
Sorted topk(const Tensor& x, std::int64_t k);

}  // namespace rw
