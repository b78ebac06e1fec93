#pragma once

#include <cstdint>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// Blocks all signals for the calling thread while it lives; signals that arrive are delivered
/// afterwards. Costs one to three microseconds.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  std::uint64_t before_ = 0;
};

}  // namespace rw::detail

#pragma GCC visibility pop
