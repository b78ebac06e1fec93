#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <rewind/autograd/tensor/plain_nan.hpp>
#include <rewind/layers/gradient_flow.hpp>

namespace rw {
namespace {

/// A bar for each step or, if there are many, for the largest of several neighbours; blank for 0
/// and ! for NaN.
std::string bars(const std::vector<double>& values, double low, double high) {
  constexpr std::array<const char*, 8> heights{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::size_t width = 60;
  const std::size_t pool = (values.size() + width - 1) / width;
  std::string line;
  for (std::size_t i = 0; i < values.size(); i += pool) {
    const std::size_t end = std::min(i + pool, values.size());
    double value = 0;
    for (std::size_t k = i; k < end; ++k) {
      value = values[k] <= value ? value : values[k];  // keeps a NaN
      if (std::isnan(value)) {
        break;
      }
    }
    if (!std::isfinite(value)) {
      line += "!";
    } else if (value <= 0) {
      line += " ";
    } else {
      const double share = high > low ? std::log(value / low) / std::log(high / low) : 1.0;
      line += heights[static_cast<std::size_t>(std::lround(7 * std::clamp(share, 0.0, 1.0)))];
    }
  }
  return line;
}

std::string row(const std::string& label, const Tensor& norms) {
  std::vector<double> values = norms.to_vector<double>();
  std::transform(values.begin(), values.end(), values.begin(), detail::plain_nan);
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const double value : values) {
    if (value > 0 && std::isfinite(value)) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  return fmt::format("{:<20}  {:>9.2e}  {:>9.2e}  {:>9.2e}  {:>9.2e}  {}\n", label, values.front(),
                     values.back(), high > 0 ? low : 0.0, high, bars(values, low, high));
}

}  // namespace

std::string to_string(const GradientFlow& flow) {
  std::string text = fmt::format(
      "{}, {}: {} steps of {} sequences\n{:<20}  {:>9}  {:>9}  {:>9}  {:>9}  {}\n", flow.name(),
      flow.direction() == Direction::forward ? "forward" : "backward", flow.steps(), flow.batch(),
      "norm of dL/d...", "first", "last", "least", "most", "step by step, log scale");
  for (int i = 0; i < flow.state_tensors(); ++i) {
    const std::string& name = flow.state_names()[static_cast<std::size_t>(i)];
    const bool numbered = name == std::to_string(i);
    text += row(numbered ? "state " + name : name, flow.state_norms(i));
  }
  for (const std::string& weight : flow.weights()) {
    text += row(weight, flow.weight_norms(weight));
  }
  return text;
}

}  // namespace rw
