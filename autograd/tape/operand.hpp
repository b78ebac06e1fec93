#pragma once

#include <type_traits>

#include <rewind/autograd/tensor/ownership.hpp>

namespace rw {

/// An argument of a pointwise operation for the duration of a call: a tensor, or a number, which
/// broadcasts to any shape.
class Operand {
 public:
  template <TensorLike T>
  explicit(false) Operand(const T& tensor) : tensor_(&static_cast<const Tensor&>(tensor)) {}
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit(false) Operand(T value) : scalar_(static_cast<double>(value)) {}

  bool is_tensor() const { return tensor_ != nullptr; }
  const Tensor& tensor() const { return *tensor_; }
  double scalar() const { return scalar_; }

 private:
  const Tensor* tensor_ = nullptr;
  double scalar_ = 0;
};

}  // namespace rw
