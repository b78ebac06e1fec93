#pragma once

#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Inverted dropout (Srivastava et al. 2014): each element becomes 0 with probability `p`, and x /
/// (1 - p) otherwise, so that the expectation stays the same and inference needs no scaling. p = 0
/// returns `x` and draws nothing; p = 1 gives zeros. It multiplies by a mask: dropping an infinite
/// or NaN element gives NaN, so that it stays visible. Throws UsageError unless 0 <= p <= 1 and `x`
/// is floating.
Tensor dropout(const Tensor& x, double p, Rng& rng);

/// The mask of dropout: 0 with probability `p`, else 1 / (1 - p). One mask for all time steps gives
/// variational dropout (Gal & Ghahramani 2016). `p` has a resolution of 2^-32.
Tensor dropout_mask(const Shape& shape, double p, Rng& rng, DType dtype = DType::float32);

}  // namespace rw
