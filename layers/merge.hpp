#pragma once

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// How the outputs of two directions are combined.
enum class Merge { concat, sum, mean, product };
const char* name_of(Merge merge);

/// Combines both outputs [T, B, features]: concatenated, or element by element.
Tensor merge_directions(Merge merge, const Tensor& forward, const Tensor& backward);

}  // namespace rw
