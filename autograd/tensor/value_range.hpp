#pragma once

#include <limits>
#include <string>

namespace rw {

class Tensor;

/// Which numbers a tensor of a state can hold. Others come from a damaged or forged file, and are
/// refused before anything is restored.
struct ValueRange {
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  static constexpr double largest = std::numeric_limits<double>::max();

  double least = -infinity;
  double greatest = infinity;
  bool nan = false;

  bool contains(double value) const {
    return (value >= least && value <= greatest) || (nan && value != value);
  }
  friend bool operator==(const ValueRange&, const ValueRange&) = default;
};

/// Anything at all, as in weights.
inline constexpr ValueRange any_values{-ValueRange::infinity, ValueRange::infinity, true};
/// Infinities too, but no NaN.
inline constexpr ValueRange ordered_values{};
inline constexpr ValueRange finite_values{-ValueRange::largest, ValueRange::largest};
/// At least 0 and finite: rates, squares, sums of weights.
inline constexpr ValueRange finite_from_zero{0, ValueRange::largest};
/// A number of steps, epochs or the like: 0 to 2^53, up to which a double holds each.
inline constexpr ValueRange counts{0, 0x1p53};

/// "0 to 5", "at least 0 and finite".
std::string to_string(const ValueRange& range);

/// What is wrong with `values`, such as "holds -1 at element 3, expected at least 0 and finite";
/// empty when nothing is.
std::string fault_of(const Tensor& values, const ValueRange& range);

}  // namespace rw
