#pragma once

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

/// Scales all gradients by one factor so that their common norm
///
///     norm = sqrt(sum of all squared elements of all gradients)
///
/// lies between `lower` and `upper`: a longer gradient is shortened to `upper`, a shorter one
/// lengthened to `lower`, a zero one stays. Returns the norm before. It is computed in float64 and
/// does not overflow where the gradients do not. Parameters that are frozen or have no gradient do
/// not count.
///
/// Throws NonFiniteError when a gradient holds a NaN or an infinity, and UsageError unless 0 <=
/// lower <= upper and 0 < upper; nothing is changed then. Pascanu et al., "On the difficulty of
/// training recurrent neural networks", 2013.
double clip_by_norm(const ParameterList& list, double upper, double lower = 0);

/// Limits each element of each gradient to [-bound, bound]. Throws NonFiniteError as clip_by_norm
/// does, and UsageError unless 0 < bound; nothing is changed then.
void clip_by_value(const ParameterList& list, double bound);

}  // namespace rw
