#pragma once

#include <array>
#include <cstdint>
#include <numeric>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// Sum of (scale x)^2 in float64. Several partial sums let the compiler vectorise.
template <class T>
double sum_of_squares(const T* data, std::int64_t n, double scale = 1) {
  constexpr std::int64_t lanes = 16;
  std::array<double, lanes> sums{};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (std::size_t k = 0; k < lanes; ++k) {
      const double x = scale * static_cast<double>(data[i + static_cast<std::int64_t>(k)]);
      sums[k] += x * x;
    }
  }
  double sum = 0;
  for (; i < n; ++i) {
    const double x = scale * static_cast<double>(data[i]);
    sum += x * x;
  }
  return std::accumulate(sums.begin(), sums.end(), sum);
}

}  // namespace rw::detail

#pragma GCC visibility pop
