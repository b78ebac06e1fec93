#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw::testing {

/// Reproducible float64 tensors for tests.
class Values {
 public:
  explicit Values(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [low, high).
  Tensor uniform(const Shape& shape, double low, double high) {
    std::uniform_real_distribution<double> distribution(low, high);
    return filled(shape, [&] { return distribution(engine_); });
  }
  /// Between 0.4 and 2.
  Tensor positive(const Shape& shape) { return uniform(shape, 0.4, 2.0); }
  /// Magnitudes between 0.2 and 1.6 of either sign: not near 0, where many functions have a kink or
  /// a pole.
  Tensor nonzero(const Shape& shape) {
    std::uniform_real_distribution<double> magnitude(0.2, 1.6);
    return filled(shape,
                  [&] { return (engine_() & 1) != 0 ? magnitude(engine_) : -magnitude(engine_); });
  }
  /// Multiples of 0.2 plus `offset`, all different and in random order, so that no difference is
  /// near 0.
  Tensor spread(const Shape& shape, double offset = 0.0) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      values.push_back(0.2 * static_cast<double>(i - shape.elements() / 2) + offset);
    }
    std::shuffle(values.begin(), values.end(), engine_);
    return Tensor::from<double>(shape, values);
  }

 private:
  template <class Draw>
  Tensor filled(const Shape& shape, Draw&& draw) {
    std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    std::generate(values.begin(), values.end(), draw);
    return Tensor::from<double>(shape, values);
  }

  std::mt19937_64 engine_;
};

}  // namespace rw::testing
