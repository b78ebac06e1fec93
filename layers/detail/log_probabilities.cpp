#include <algorithm>
#include <cmath>

#include <rewind/layers/detail/log_probabilities.hpp>

namespace rw::detail {

bool read_log_probabilities(const Tensor& logits, std::int64_t row,
                            std::vector<double>& log_probabilities) {
  log_probabilities.resize(static_cast<std::size_t>(logits.columns()));
  dispatch_floating(logits.dtype(), [&](auto type) {
    const auto* const x = logits.data<decltype(type)>() + row * logits.row_stride();
    std::copy_n(x, logits.columns(), log_probabilities.begin());
  });
  const double largest = *std::max_element(log_probabilities.begin(), log_probabilities.end());
  double sum = 0;
  for (const double x : log_probabilities) {
    sum += std::exp(x - largest);
  }
  if (!std::isfinite(largest) || !std::isfinite(sum)) {
    return false;
  }
  const double log_sum = std::log(sum);
  for (double& x : log_probabilities) {
    x = (x - largest) - log_sum;
  }
  return true;
}

}  // namespace rw::detail
