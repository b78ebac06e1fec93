#include <rewind/layers/affine.hpp>
#include <rewind/layers/fully_connected.hpp>

namespace rw {

FullyConnected::FullyConnected(const Options& options, Rng& rng) : activation(options.activation) {
  check<UsageError>(
      options.input >= 1 && options.output >= 1 && options.depth >= 1 &&
          (options.hidden >= 1 || options.depth == 1),
      "fully_connected: got input {}, output {}, hidden {}, depth {}; each must be at "
      "least 1",
      options.input, options.output, options.hidden, options.depth);
  std::int64_t input = options.input;
  for (std::int64_t i = 1; i <= options.depth; ++i) {
    const std::int64_t output = i == options.depth ? options.output : options.hidden;
    const LinearOptions each{
        .input = input, .output = output, .bias = options.bias, .dtype = options.dtype};
    layers.emplace_back(each, rng);
    input = output;
  }
}

Tensor FullyConnected::operator()(const Tensor& x) const {
  if (!layers.empty()) {
    check_features("fully_connected", x, layers.front().weight);
  }
  Tensor y = x;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    y = layers[i](i == 0 ? y : activate(activation, y));
  }
  return y;
}

}  // namespace rw
