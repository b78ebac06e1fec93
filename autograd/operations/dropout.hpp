#pragma once

#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Inverted dropout (Srivastava et al. 2014): each element becomes 0 with probability `p`, and x /
/// (1 - p) otherwise, so that the expectation stays the same and nothing is to be done at
/// inference. p = 0 returns `x` and draws nothing; p = 1 gives zeros. It is the product with a
/// mask: an infinite or NaN element that is dropped becomes NaN and stays visible. Throws
/// UsageError unless 0 <= p <= 1 and `x` is floating.
Tensor dropout(const Tensor& x, double p, Rng& rng);

/// What dropout multiplies by: 0 with probability `p`, else 1 / (1 - p). Drawn once and used at
/// every time step it gives variational dropout (Gal & Ghahramani 2016). `p` counts to a resolution
/// of 2^-32.
Tensor dropout_mask(const Shape& shape, double p, Rng& rng, DType dtype = DType::float32);

}  // namespace rw
