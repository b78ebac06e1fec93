#pragma once

#include <vector>

#include <rewind/layers/activation.hpp>
#include <rewind/layers/linear.hpp>

namespace rw {

struct FullyConnectedOptions {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t hidden = 0;  // features of each layer in between
  std::int64_t depth = 2;   // number of affine maps
  Activation activation = Activation::tanh;
  bool bias = true;
  DType dtype = DType::float32;
};

/// A fully connected network on the last axis: affine maps with the activation between them, but
/// not after the last. x [..., input] -> y [..., output]; initialised as Linear.
///
/// Throws UsageError for a size below 1 and ShapeError when x has another number of features.
struct FullyConnected {
  using Options = FullyConnectedOptions;

  std::vector<Linear> layers;
  Activation activation = Activation::tanh;

  FullyConnected() = default;
  FullyConnected(const Options& options, Rng& rng);

  Tensor operator()(const Tensor& x) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "fully_connected");
    visit("activation", activation);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layers", layers);
  }
};

}  // namespace rw
