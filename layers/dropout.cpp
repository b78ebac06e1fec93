#include <rewind/autograd/fuse/math.hpp>
#include <rewind/layers/dropout.hpp>

namespace rw {

Tensor variational_dropout(const Tensor& x, double p, Rng& rng) {
  check_shape(x.rank() >= 2, "variational_dropout: x is {}, expected [T, B, ...]", x.shape());
  return p == 0 ? x : x * dropout_mask(x.shape().without(0), p, rng, x.dtype());
}

}  // namespace rw
