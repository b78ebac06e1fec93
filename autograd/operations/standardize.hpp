#pragma once

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Every row (last axis, n features) moved to mean 0 and scaled to variance 1: the heart of layer
/// normalisation (Ba et al. 2016).
///
///     y = (x - m) / sqrt(v + epsilon),   m = sum(x) / n,   v = sum((x - m)^2) / n
///
/// x [..., n] -> y [..., n]. A row of equal values gives zeros, up to rounding; one that holds an
/// infinity gives NaN. Throws ShapeError
/// when x has no axis, UsageError for an integer tensor or an epsilon that is not positive.
Tensor standardize(const Tensor& x, double epsilon = 1e-5);

}  // namespace rw
