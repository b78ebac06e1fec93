#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

/// A value of a tensor; an int64 keeps all its digits.
using Number = std::variant<double, std::int64_t>;

/// A summary of a tensor's values. Minimum, maximum, mean and norm are taken over the finite
/// values, and are missing if there are none.
struct Statistics {
  std::optional<Number> minimum;
  std::optional<Number> maximum;
  std::optional<double> mean;
  std::optional<double> norm;  // the root of the sum of squares
  std::int64_t nans = 0;
  std::int64_t infinities = 0;
};

Statistics statistics_of(const Tensor& x);

/// How two tensors of one shape and type differ. NaN equals NaN here, and -0 equals 0.
struct Difference {
  std::int64_t elements = 0;      // how many differ
  std::int64_t non_finite = 0;    // how many of these are NaN or infinite on at least one side
  std::optional<double> largest;  // largest |a - b| where both are finite
  std::vector<std::int64_t> at;   // its index along each axis
  /// |a - b| / max(|a|, |b|) in norms over the elements that are finite in both.
  std::optional<double> relative;
};

Difference difference_of(const Tensor& a, const Tensor& b);

}  // namespace rw::inspect

#pragma GCC visibility pop
