#pragma once

#include <rewind/autograd/tensor/rng.hpp>

namespace examples::waves {

/// [steps, count, 1]: sines of unknown frequency, 8 to 40 steps a period, and phase, with noise.
rw::Tensor draw(std::int64_t steps, std::int64_t count, rw::Rng& rng);

struct Data {
  rw::Tensor train, valid;  // [steps, waves, 1]
};

/// Four waves of five are for training; where one belongs depends on nothing but its number.
Data split(const rw::Tensor& waves);

}  // namespace examples::waves
