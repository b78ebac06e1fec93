#pragma once

#include <cmath>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// 1 - beta^t, without cancellation while beta^t is near 1.
inline double bias_correction(double beta, double t) { return -std::expm1(t * std::log(beta)); }

}  // namespace rw::detail

#pragma GCC visibility pop
