#pragma once

#include <rewind/autograd/tensor/rng.hpp>

namespace examples {

/// Streams of random bits x, and the targets y: the same bits `delay` steps later, zeros until
/// then.
struct EchoStreams {
  rw::Tensor x, y;  // [steps, streams, 1], each element 0 or 1
};

EchoStreams echo_streams(std::int64_t steps, std::int64_t streams, std::int64_t delay,
                         rw::Rng& rng);

}  // namespace examples
