#pragma once

#include <rewind/autograd/tape/parameter.hpp>

namespace rw {

struct LayerNormOptions {
  std::int64_t features = 0;
  double epsilon = 1e-5;
  bool bias = true;
  DType dtype = DType::float32;
};

/// Layer normalisation (Ba et al. 2016): normalises every row to mean 0 and variance 1, then scales
/// and shifts each feature.
///
///     y = gain (x - m) / sqrt(v + epsilon) + bias
///
/// m and v are mean and variance (divisor n) over the last axis; x [..., features], gain and bias
/// [features], y like x. The gain starts at 1, the bias at 0. Throws ShapeError when x has another
/// number of features.
struct LayerNorm {
  using Options = LayerNormOptions;

  Parameter gain;
  Parameter bias;  // empty without bias
  double epsilon = 1e-5;

  LayerNorm() = default;
  explicit LayerNorm(const Options& options);

  Tensor operator()(const Tensor& x) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "layer_norm");
    visit("epsilon", epsilon);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("gain", gain);
    visit("bias", bias);
  }
};

}  // namespace rw
