#pragma once

#include <rewind/autograd/fuse/math.hpp>

namespace rw {

/// The functions that a cell can apply to its candidate and its gates, chosen by an option.
///
/// Two functions are called hard sigmoid: `hard_sigmoid` is that of PyTorch and Keras 3,
/// `hard_sigmoid_keras2` that of Keras up to 2.2, where it was the default of gates.
enum class Activation { tanh, relu, sigmoid, identity, hard_sigmoid, hard_sigmoid_keras2 };
const char* name_of(Activation activation);

/// A piecewise linear approximation of the sigmoid: `slope` x + 1/2, clamped to [0, 1]. Its
/// gradient is `slope` within and at the limits, as clamp()'s, and 0 outside.
constexpr Symbol hard_sigmoid(Symbol x, double slope = 1.0 / 6.0) {
  return clamp(slope * x + 0.5, 0, 1);
}
/// The same for a tensor: slope 1/6 in PyTorch and Keras 3, 0.2 in Keras up to 2.2.
Tensor hard_sigmoid(const Operand& x, double slope = 1.0 / 6.0);

/// Applies the chosen function to every element, as one operation; `identity` returns x itself.
Tensor activate(Activation activation, const Tensor& x);

}  // namespace rw
