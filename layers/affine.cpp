#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/layer_name.hpp>

namespace rw {

void check_features(const char* who, const Tensor& x, const Parameter& weight) {
  const std::int64_t input = weight.shape()[0];
  const LayerName layer(who, weight);
  check_shape(x.rank() >= 2 && x.columns() == input,
              "{}: input has {} features, expected {} (x is {}); the last axis holds the features",
              layer, x.columns(), input, x.shape());
  check<UsageError>(x.dtype() == weight.dtype(),
                    "{}: input is {}, the weights are {}; convert one of them with to()", layer,
                    name_of(x.dtype()), name_of(weight.dtype()));
}

Tensor affine(const char* who, const Tensor& x, const Parameter& weight, const Parameter& bias) {
  check_features(who, x, weight);
  return bias.defined() ? addmm(bias, x, weight) : matmul(x, weight);
}

}  // namespace rw
