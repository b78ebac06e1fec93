#pragma once

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Shifts every row (last axis, n features) to mean 0 and scales it to variance 1: the core of
/// layer normalisation (Ba et al. 2016).
///
///     y = (x - m) / sqrt(v + epsilon),   m = sum(x) / n,   v = sum((x - m)^2) / n
///
/// x [..., n] -> y [..., n]. A row of equal values gives zeros, up to rounding; one with an
/// infinity gives NaN. Throws ShapeError if x has no axis, UsageError for an integer tensor or an
/// epsilon that is not positive.
Tensor standardize(const Tensor& x, double epsilon = 1e-5);

}  // namespace rw
