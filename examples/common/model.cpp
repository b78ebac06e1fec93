#include "common/model.hpp"

#include <cmath>

namespace examples {

void set_memory(const rw::ParameterList& weights, const std::string& cell, std::int64_t steps,
                rw::Rng& rng) {
  if (cell != "lstm" && cell != "gru") {
    return;
  }
  const std::int64_t gates = cell == "lstm" ? 4 : 3;
  for (const auto& [path, parameter] : weights) {
    if (!path.ends_with("cell/bias")) {
      continue;
    }
    // An LSTM's gates are input, forget, candidate, output; a GRU's are reset, update, candidate.
    // The update gate is the one that keeps.
    const std::int64_t hidden = parameter->shape().elements() / gates;
    float* bias = parameter->mutable_data<float>();
    for (std::int64_t unit = 0; unit < hidden; ++unit) {
      const auto keep = static_cast<float>(std::log(rng.uniform(1.0, static_cast<double>(steps))));
      bias[hidden + unit] = keep;
      if (cell == "lstm") {
        bias[unit] = -keep;
      }
    }
  }
}

}  // namespace examples
