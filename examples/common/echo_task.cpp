#include "common/echo_task.hpp"

#include <algorithm>
#include <vector>

namespace examples {

EchoStreams echo_streams(std::int64_t steps, std::int64_t streams, std::int64_t delay,
                         rw::Rng& rng) {
  const auto size = static_cast<std::size_t>(steps * streams);
  std::vector<float> bits(size);
  for (float& bit : bits) {
    bit = rng.bernoulli(0.5) ? 1.0F : 0.0F;
  }
  // Time is the first axis, so a delay shifts everything by whole rows.
  std::vector<float> echo(size, 0.0F);
  const std::size_t offset = std::min(size, static_cast<std::size_t>(delay * streams));
  std::copy(bits.begin(), bits.end() - static_cast<std::ptrdiff_t>(offset),
            echo.begin() + static_cast<std::ptrdiff_t>(offset));
  const rw::Shape shape{steps, streams, 1};
  return {rw::Tensor::from<float>(shape, bits), rw::Tensor::from<float>(shape, echo)};
}

}  // namespace examples
