#include <fmt/format.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/launch.hpp>

namespace rw::detail {

constinit thread_local Launches* captured_launches = nullptr;

void fail_in_capture(const char* what) {
  throw UsageError(fmt::format(
      "capture: {} on the host, which a replay cannot repeat; do that outside the function", what));
}

}  // namespace rw::detail
