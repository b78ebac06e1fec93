#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/layers/activation.hpp>

namespace rw {

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::tanh:
      return "tanh";
    case Activation::relu:
      return "relu";
    case Activation::sigmoid:
      return "sigmoid";
    case Activation::identity:
      return "identity";
    case Activation::hard_sigmoid:
      return "hard_sigmoid";
    case Activation::hard_sigmoid_keras2:
      return "hard_sigmoid_keras2";
  }
  return "unknown";
}

Tensor hard_sigmoid(const Operand& x, double slope) {
  return fuse(
      "hard_sigmoid", [](auto v, auto k) { return clamp(k * v + 0.5, 0, 1); }, x, slope);
}

Tensor activate(Activation activation, const Tensor& x) {
  switch (activation) {
    case Activation::tanh:
      return tanh(x);
    case Activation::relu:
      return relu(x);
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::identity:
      return x;
    case Activation::hard_sigmoid:
      return hard_sigmoid(x);
    case Activation::hard_sigmoid_keras2:
      break;
  }
  return hard_sigmoid(x, 0.2);
}

}  // namespace rw
