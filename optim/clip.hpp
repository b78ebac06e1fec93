#pragma once

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

/// Scales all gradients by one factor so that their common norm
///
///     norm = sqrt(sum of all squared elements of all gradients)
///
/// is between `lower` and `upper`. A zero gradient does not change. Returns the norm before
/// clipping, computed in float64; it does not overflow unless the gradients do. Frozen parameters
/// and those without gradient are ignored.
///
/// Throws NonFiniteError when a gradient contains a NaN or an infinity, and UsageError unless 0 <=
/// lower <= upper and 0 < upper; gradients are then unchanged. Pascanu et al., "On the difficulty
/// of training recurrent neural networks", 2013.
double clip_by_norm(const ParameterList& list, double upper, double lower = 0);

/// Limits each element of each gradient to [-bound, bound]. Throws NonFiniteError as clip_by_norm
/// does, and UsageError unless 0 < bound; gradients are then unchanged.
void clip_by_value(const ParameterList& list, double bound);

}  // namespace rw
