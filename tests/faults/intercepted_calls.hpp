#pragma once
// System calls and allocations of this process that fail on demand. The functions of the C library
// are defined again in intercepted_calls.cpp, so that those of all libraries come by.

#include <cstdint>

namespace faults {

enum class Call {
  open,
  write,
  read,  // pread too
  fsync,
  close,
  rename,
  stat,
  unlink,
  chmod,
  allocate,  // malloc, calloc, realloc and the aligned ones
};
inline constexpr int calls = 10;
const char* name_of(Call call);

enum class Action {
  fail,       // with `error`
  part,       // writes or reads one byte less than half, which is no failure
  nothing,    // writes 0 bytes
  interrupt,  // fails with EINTR
  kill,       // SIGKILL to this process
};

/// From now on, call number `number` (from 1) of that kind acts so; with `repeat`, each later one
/// too.
void arm(Call call, std::int64_t number, Action action, int error, bool repeat);
/// All calls work again. Returns how many of that kind there were since arm().
std::int64_t disarm();

}  // namespace faults
