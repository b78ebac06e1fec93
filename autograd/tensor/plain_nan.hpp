#pragma once

#include <cmath>
#include <limits>

namespace rw::detail {

/// `x`, with any NaN replaced by one without a sign: arithmetic makes negative NaNs, which would
/// print as "-nan".
inline double plain_nan(double x) {
  return std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x;
}

}  // namespace rw::detail
