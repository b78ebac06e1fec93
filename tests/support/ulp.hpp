#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace rw::testing {

/// The distance between neighbouring numbers of type T around `x`.
template <class T>
double ulp_of(T x) {
  using Limits = std::numeric_limits<T>;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(1.0, std::max(x == 0 ? Limits::min_exponent : exponent, Limits::min_exponent) -
                             Limits::digits);
}

/// The error of `got` in units of the exact result's last place: 0 if both are NaN; infinity if
/// only one is NaN, or infinite after rounding.
template <class T>
double ulp_distance(T got, long double want) {
  if (std::isnan(want) || std::isnan(got)) {
    return std::isnan(want) && std::isnan(got) ? 0 : std::numeric_limits<double>::infinity();
  }
  const T rounded = static_cast<T>(want);
  if (got == rounded) {
    return std::isinf(got) ? 0 : static_cast<double>(std::abs(got - want)) / ulp_of(rounded);
  }
  if (std::isinf(got) || std::isinf(rounded)) {
    return std::numeric_limits<double>::infinity();
  }
  return static_cast<double>(std::abs(got - want)) / ulp_of(rounded);
}

}  // namespace rw::testing
