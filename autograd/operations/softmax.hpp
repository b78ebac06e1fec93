#pragma once

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// softmax(x)_i = e^(x_i) / sum_j e^(x_j) along `axis` (Bridle 1990), computed after subtracting
/// the largest element, so that it overflows for no finite x. Every slice along `axis` sums to 1. A
/// NaN or +infinity anywhere in a slice, or -infinity everywhere, makes the whole slice NaN. Throws
/// ShapeError for an axis that `x` does not have.
Tensor softmax(const Tensor& x, int axis = -1);

/// log(softmax(x)) along `axis`, exact where softmax itself would round to 0 or 1; never above 0,
/// and exactly 0 for an element if all others are -infinity. NaN where softmax is.
Tensor log_softmax(const Tensor& x, int axis = -1);

}  // namespace rw
