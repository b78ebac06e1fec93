#include "common/adding_task.hpp"

#include <vector>

namespace examples {

AddingBatch adding_batch(std::int64_t steps, std::int64_t count, rw::Rng& rng) {
  rw::check<rw::UsageError>(steps >= 2, "adding: got {} steps, expected at least 2", steps);
  std::vector<float> x(static_cast<std::size_t>(steps * count * 2), 0.0F);
  std::vector<float> sums;
  const auto at = [&](std::int64_t t, std::int64_t b) {
    return &x[static_cast<std::size_t>((t * count + b) * 2)];
  };
  for (std::int64_t b = 0; b < count; ++b) {
    for (std::int64_t t = 0; t < steps; ++t) {
      at(t, b)[0] = static_cast<float>(rng.uniform());
    }
    const std::int64_t first = rng.integer(steps / 2);
    const std::int64_t second = steps / 2 + rng.integer(steps - steps / 2);
    at(first, b)[1] = at(second, b)[1] = 1.0F;
    sums.push_back(at(first, b)[0] + at(second, b)[0]);
  }
  return {rw::Tensor::from<float>({steps, count, 2}, x), rw::Tensor::from<float>({count, 1}, sums)};
}

}  // namespace examples
