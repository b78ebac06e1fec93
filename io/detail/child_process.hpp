#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

struct ChildLimits {
  std::uint64_t memory_bytes;  // beyond what this process has
  std::uint64_t file_bytes;    // of a file that it writes
  std::chrono::seconds processor_time;
};

/// A copy of this process that runs one function, which may crash or never end, and opens no file.
class ChildProcess {
 public:
  /// Begins to run `body`, which has the calling thread only: it must not wait for what another
  /// one holds. Throws CheckpointReadError, with `path` in the message, where there is no process
  /// to be had.
  ChildProcess(const std::string& path, const ChildLimits& limits,
               const std::function<void()>& body);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  /// Ends it.
  ~ChildProcess();

  /// Waits until `body` returns, for a time that the limits give. Says why it did not: "was ended
  /// by signal 11 (Segmentation fault)". Empty where it did, or where somebody else in this program
  /// has collected the child, so that nobody can tell: `body` has to leave a sign.
  std::string wait();

 private:
  pid_t process_;  // 0 when it has ended
  std::chrono::seconds patience_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
