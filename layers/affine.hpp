#pragma once

#include <rewind/autograd/parameter.hpp>

namespace rw {

/// x W + b, or x W where b is empty. `who` names the layer in the ShapeError when x [..., features]
/// does not fit W [input, output].
Tensor affine(const char* who, const Tensor& x, const Parameter& weight, const Parameter& bias);

}  // namespace rw
