#pragma once

#include <functional>
#include <vector>

#include <rewind/autograd/tape/capture_log.hpp>

namespace rw::detail {

/// The kernels of a plan, and what refresh() has to do before they are called.
struct Steps {
  Launches launches;
  std::vector<std::function<void()>> refreshes;
};

/// What a capture did, and where.
struct Captured {
  CaptureLog& log;
  const CaptureMemory& memory;
  const std::vector<Tensor>& inputs;
};

/// The same work as a capture's launches, faster. What only copies constants is done once, by
/// refresh(). Products with constant matrices are packed, and become one with what they are added
/// to. Takes the launches out of the log.
[[gnu::visibility("hidden")]] Steps faster_steps(const Captured& captured);

}  // namespace rw::detail
