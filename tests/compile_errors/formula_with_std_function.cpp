// says: fuse: a formula uses Rewind's own functions, which have derivatives; write tanh(x)
// clang errors: 4
#include <cmath>

#include <rewind/autograd/fuse/pointwise.hpp>

rw::Tensor squashed(const rw::Tensor& x) {
  return rw::fuse(
      "squashed", [](auto v) { return std::tanh(v); }, x);
}
