#pragma once
// System calls and allocations of this process that fail on demand. intercepted_calls.cpp redefines
// the functions of the C library, so that calls from all libraries pass through it.

#include <cstdint>

namespace faults {

enum class Call {
  open,
  write,
  read,  // and pread
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
  part,       // transfers one byte less than half, which is no failure
  nothing,    // writes 0 bytes
  interrupt,  // fails with EINTR
  kill,       // SIGKILL to this process
};

/// From now on, call number `number` (from 1) of that kind performs `action`; with `repeat`, so
/// does every later one.
void arm(Call call, std::int64_t number, Action action, int error, bool repeat);
/// Makes all calls work again. Returns how many of that kind there were since arm().
std::int64_t disarm();

}  // namespace faults
