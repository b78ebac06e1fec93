#pragma once
// Reproducible float32 tensors and class numbers.

#include <random>
#include <vector>

#include "numbers.hpp"

namespace rw::testing {

/// float32, uniform in [low, high).
inline Tensor random_tensor(const Shape& shape, unsigned seed = 1, float low = -3, float high = 3) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& value : values) {
    value = uniform(engine);
  }
  return Tensor::from<float>(shape, values);
}

/// int64, uniform in [0, classes).
inline Tensor random_targets(const Shape& shape, Size classes, unsigned seed = 7) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<Size> uniform(0, classes - 1);
  std::vector<Size> values(static_cast<std::size_t>(shape.elements()));
  for (Size& value : values) {
    value = uniform(engine);
  }
  return Tensor::from<Size>(shape, values);
}

}  // namespace rw::testing
