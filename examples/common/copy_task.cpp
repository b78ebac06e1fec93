#include "common/copy_task.hpp"

#include <cmath>
#include <vector>

#include <rewind/autograd/operations/indexing.hpp>

namespace examples::copy_task {

Batch draw_batch(std::int64_t delay, std::int64_t count, rw::Rng& rng) {
  rw::check<rw::UsageError>(delay >= 1, "copy memory: got a delay of {}, expected at least 1",
                            delay);
  const std::int64_t steps = delay + 2 * length;
  std::vector<std::int64_t> x(static_cast<std::size_t>(steps * count), blank);
  std::vector<std::int64_t> target(x.size(), blank);
  const auto at = [&](std::int64_t t, std::int64_t b) {
    return static_cast<std::size_t>(t * count + b);
  };
  for (std::int64_t b = 0; b < count; ++b) {
    for (std::int64_t i = 0; i < length; ++i) {
      x[at(i, b)] = target[at(steps - length + i, b)] = rng.integer(symbols);
    }
    x[at(steps - length - 1, b)] = go;
  }
  const rw::Shape shape{steps, count};
  return {rw::one_hot(rw::Tensor::from<std::int64_t>(shape, x), inputs),
          rw::Tensor::from<std::int64_t>(shape, target)};
}

double baseline(std::int64_t delay) {
  return static_cast<double>(length) * std::log(static_cast<double>(symbols)) /
         static_cast<double>(delay + 2 * length);
}

}  // namespace examples::copy_task
