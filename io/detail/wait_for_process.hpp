#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <sys/types.h>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Waits until a child has ended and returns its status as waitpid() gives it; 0 if another part of
/// the program has collected the status, so that it is unknown. Nothing if the child still runs at
/// `end`.
std::optional<int> wait_for_process(pid_t process, std::chrono::steady_clock::time_point end);

/// "was ended by signal 11 (Segmentation fault)", "ended with code 1"; empty for status 0.
std::string ending_of(int status);

}  // namespace rw::io::detail

#pragma GCC visibility pop
