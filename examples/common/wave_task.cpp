#include "common/wave_task.hpp"

#include <vector>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/io/split.hpp>

namespace examples::waves {

rw::Tensor draw(std::int64_t steps, std::int64_t count, rw::Rng& rng) {
  const rw::Tensor time = rw::reshape(rw::arange(steps, rw::DType::float32), {steps, 1, 1});
  const rw::Tensor speed = rng.uniform({1, count, 1}, 6.2832 / 40, 6.2832 / 8);
  const rw::Tensor phase = rng.uniform({1, count, 1}, 0, 6.2832);
  return rw::sin(speed * time + phase) + rng.normal({steps, count, 1}, 0, 0.1);
}

Data split(const rw::Tensor& waves) {
  const rw::Split parts = rw::split_by_hash(rw::arange(waves.size(1)).to_vector<std::int64_t>(),
                                            {.valid = 0.2, .test = 0});
  const auto select_waves = [&](const std::vector<std::int64_t>& numbers) {
    return rw::index_select(waves, rw::Tensor::from<std::int64_t>({std::ssize(numbers)}, numbers),
                            1);
  };
  return {select_waves(parts.train), select_waves(parts.valid)};
}

}  // namespace examples::waves
