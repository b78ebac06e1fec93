#pragma once
// The logarithm of the softmax in long double, and the gradients of losses by both rules.

#include <algorithm>
#include <cmath>
#include <limits>

#include <rewind/autograd/fuse/math.hpp>

#include "gradient_of.hpp"
#include "numbers.hpp"
#include "random_tensors.hpp"

namespace rw::testing {

/// Extreme numbers of float32.
namespace extremes {
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float largest = std::numeric_limits<float>::max();
}  // namespace extremes

/// The allowed error of a loss in float32 or float64.
inline double tolerance_of(const Tensor& x) { return x.dtype() == DType::float32 ? 1e-6 : 1e-13; }

inline bool all_nan(const Tensor& x) {
  const Numbers values = numbers(x);
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}
inline bool all_finite(const Tensor& x) {
  const Numbers values = numbers(x);
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// log softmax of each row.
inline Numbers log_softmax_rows(const Tensor& x) {
  const Numbers values = numbers(x);
  const auto n = static_cast<std::size_t>(x.columns());
  Numbers y;
  for (std::size_t first = 0; first < values.size(); first += n) {
    const double* const row = &values[first];
    const double top = *std::max_element(row, row + n);
    long double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sum += std::exp(static_cast<long double>(row[i]) - top);
    }
    for (std::size_t i = 0; i < n; ++i) {
      y.push_back(static_cast<double>(static_cast<long double>(row[i]) - top - std::log(sum)));
    }
  }
  return y;
}

/// The gradient of sum(f(x) seed), by the rule that runs at once and by the recorded rule.
struct GradientPair {
  Tensor now;
  Tensor recorded;
};
inline GradientPair gradients_of(const Tensor& x, const Loss& f) {
  Tape tape;
  const Tensor v = tape.watch(x);
  const Tensor y = f(v);
  const Tensor loss = sum(y * random_tensor(y.shape(), 5).to(y.dtype()));
  GradientPair pair;
  pair.recorded = tape.gradient(loss, {v}, {.create_graph = true}).front();
  pair.now = tape.gradient(loss, {v}).front();
  return pair;
}

}  // namespace rw::testing
