#pragma once

#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tensor/rng.hpp>

namespace rw {

struct LinearOptions {
  std::int64_t input = 0;
  std::int64_t output = 0;
  bool bias = true;
  DType dtype = DType::float32;
};

/// Affine map of the last axis: y = x W + b, x [..., input], W [input, output], b [output], y [...,
/// output].
///
/// W starts Xavier-uniform, b at zero. Throws ShapeError when x has another number of features.
struct Linear {
  using Options = LinearOptions;

  Parameter weight;
  Parameter bias;  // empty without bias

  Linear() = default;
  Linear(const Options& options, Rng& rng);

  Tensor operator()(const Tensor& x) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "linear");
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("weight", weight);
    visit("bias", bias);
  }
};

}  // namespace rw
