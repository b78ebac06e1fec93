#pragma once

#include <concepts>
#include <type_traits>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// What reads as a tensor: a Tensor or a Parameter.
template <class T>
concept TensorLike = std::convertible_to<const T&, const Tensor&>;

namespace detail {
/// A handle of a function's own to `x`, taken over from a temporary or what std::move gives.
template <TensorLike T>
Tensor take_over(T&& x) {
  if constexpr (std::same_as<T, Tensor>) {
    return static_cast<Tensor&&>(x);
  } else {
    return static_cast<const Tensor&>(x);
  }
}
}  // namespace detail

/// An argument of a pointwise operation for the duration of a call: a tensor, or a number that
/// stretches to any shape.
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
