#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/standardize.hpp>
#include <rewind/layers/layer_name.hpp>
#include <rewind/layers/layer_norm.hpp>

namespace rw {

LayerNorm::LayerNorm(const Options& options)
    : gain(ones({options.features}, options.dtype)), epsilon(options.epsilon) {
  check<UsageError>(options.epsilon > 0, "layer_norm: epsilon is {}, expected more than 0",
                    options.epsilon);
  if (options.bias) {
    bias = Parameter(zeros({options.features}, options.dtype));
  }
}

Tensor LayerNorm::operator()(const Tensor& x) const {
  const std::int64_t features = gain.shape()[0];
  check_shape(x.rank() >= 1 && x.columns() == features,
              "{}: input has {} features, expected {} (x is {}); the last axis holds the features",
              LayerName("layer_norm", gain), x.columns(), features, x.shape());
  const Tensor y = standardize(x, epsilon);
  return bias.defined()
             ? fuse(
                   "layer_norm", [](auto v, auto k, auto b) { return v * k + b; }, y, gain, bias)
             : y * gain;
}

}  // namespace rw
