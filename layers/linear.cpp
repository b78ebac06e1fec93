#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/linear.hpp>

namespace rw {

Linear::Linear(const LinearOptions& options, Rng& rng)
    : weight(xavier_uniform({options.input, options.output}, rng, options.dtype)) {
  if (options.bias) {
    bias = Parameter(zeros({options.output}, options.dtype));
  }
}

Tensor Linear::operator()(const Tensor& x) const { return affine("linear", x, weight, bias); }

}  // namespace rw
