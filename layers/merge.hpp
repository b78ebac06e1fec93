#pragma once

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// How the outputs of two directions become one.
enum class Merge { concat, sum, mean, product };
const char* name_of(Merge merge);

/// Both outputs [T, B, features] as one: beside each other, or element by element.
Tensor merge_directions(Merge merge, const Tensor& forward, const Tensor& backward);

}  // namespace rw
