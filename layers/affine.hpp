#pragma once

#include <rewind/autograd/tape/parameter.hpp>

namespace rw {

/// Throws ShapeError, naming the layer `who`, when x [..., features] does not fit `weight` [input,
/// output], and UsageError if the types differ.
void check_features(const char* who, const Tensor& x, const Parameter& weight);

/// x W + b, or x W where b is empty. `who` names the layer in the ShapeError when x [..., features]
/// does not fit W [input, output].
Tensor affine(const char* who, const Tensor& x, const Parameter& weight, const Parameter& bias);

}  // namespace rw
