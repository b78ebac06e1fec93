#pragma once

#include <rewind/autograd/tensor/rng.hpp>

namespace examples::waves {

/// Noisy sines [steps, count, 1] of unknown phase and frequency, with periods of 8 to 40 steps.
rw::Tensor draw(std::int64_t steps, std::int64_t count, rw::Rng& rng);

struct Data {
  rw::Tensor train, valid;  // [steps, waves, 1]
};

/// Four fifths of the waves are for training; the part that a wave belongs to depends only on its
/// number.
Data split(const rw::Tensor& waves);

}  // namespace examples::waves
