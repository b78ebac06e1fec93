#pragma once
// Tensors as lists of numbers, and lists of numbers as tensors.

#include <cstdint>
#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw::testing {

using Size = std::int64_t;
using Numbers = std::vector<double>;

/// All elements of a tensor of any type.
inline Numbers numbers(const Tensor& x) { return x.to(DType::float64).to_vector<double>(); }

/// [n], as in vector_of<float>({1, 2}).
template <class T>
Tensor vector_of(const std::vector<T>& values) {
  return Tensor::from<T>({static_cast<Size>(values.size())}, values);
}

/// [1, n].
template <class T>
Tensor row_of(const std::vector<T>& values) {
  return Tensor::from<T>({1, static_cast<Size>(values.size())}, values);
}

/// float64 [rows, columns].
inline Tensor matrix(const Numbers& values, Size rows, Size columns) {
  return Tensor::from<double>({rows, columns}, values);
}

/// int64 [n]: classes, tokens, lengths.
inline Tensor integers(const std::vector<Size>& values) { return vector_of<Size>(values); }

}  // namespace rw::testing
