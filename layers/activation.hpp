#pragma once

#include <rewind/autograd/fuse/math.hpp>

namespace rw {

/// What a cell applies to its candidate and its gates, chosen by an option.
///
/// Two functions go by the name of hard sigmoid: `hard_sigmoid` is that of PyTorch and Keras 3,
/// `hard_sigmoid_keras2` that of Keras up to 2.2, where it was the default of gates.
enum class Activation { tanh, relu, sigmoid, identity, hard_sigmoid, hard_sigmoid_keras2 };
const char* name_of(Activation activation);

/// The sigmoid's piecewise linear stand-in: `slope` x + 1/2, limited to [0, 1]. Its slope is
/// `slope` where that is within or at the limits, as clamp()'s, and 0 outside.
constexpr Symbol hard_sigmoid(Symbol x, double slope = 1.0 / 6.0) {
  return clamp(slope * x + 0.5, 0, 1);
}
/// The same of a tensor: slope 1/6 in PyTorch and Keras 3, 0.2 in Keras up to 2.2.
Tensor hard_sigmoid(const Operand& x, double slope = 1.0 / 6.0);

/// The chosen function of every element, as one operation; `identity` gives x itself.
Tensor activate(Activation activation, const Tensor& x);

}  // namespace rw
