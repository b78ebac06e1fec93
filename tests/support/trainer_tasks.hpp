#pragma once
// Two small tasks for the tests of the Trainer.

#include <cstdint>
#include <string>

#include <rewind/rewind.hpp>

#include "bytes_of.hpp"

namespace rw::testing {

/// A small network and its task: the sine of a sum.
struct Task {
  FullyConnected model;
  Tensor x;
  Tensor y;

  explicit Task(std::uint64_t seed = 3) : Task(Rng(seed)) {}
  explicit Task(Rng rng) : model({.input = 3, .output = 1, .hidden = 8}, rng) {
    x = rng.uniform({50, 3}, -1, 1, DType::float32);
    y = sin(sum(x, {1}, true) * 2.0);
  }

  Tensor loss(const Tensor& batch) const {
    return mse(model(index_select(x, batch)), index_select(y, batch));
  }
  double validate() const { return mse(model(x), y).item(); }
  auto step() {
    return [this](const Tensor& batch) { return loss(batch); };
  }
  std::string bytes() { return bytes_of(state_of(model)); }
};

inline TrainerOptions silent(TrainerOptions options) {
  options.output = nullptr;
  return options;
}

/// One weight; the loss of a batch c is c w, whose gradient is c.
struct Slope {
  Parameter w{Tensor::from<double>({}, {1.0})};
  Sgd optimizer{ParameterList{{"w", &w}}, {.learning_rate = 1.0}};
  auto step() {
    return [this](double c) { return w * c; };
  }
  double value() const { return w.value().item(); }
};

}  // namespace rw::testing
