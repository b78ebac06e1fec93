#pragma once

#include <rewind/autograd/tensor/tensor.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// max |lambda_i| over the eigenvalues of a square float64 matrix; 0 where it is empty, NaN where
/// an element is not finite.
double spectral_radius(const Tensor& matrix);

/// max sigma_i, the square root of the largest eigenvalue of A A^T, of a float64 matrix; 0 where it
/// is empty, NaN where an element is not finite.
double largest_singular_value(const Tensor& matrix);

}  // namespace rw::detail

#pragma GCC visibility pop
