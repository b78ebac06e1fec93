#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

struct ChildLimits {
  std::uint64_t memory_bytes;  // on top of what this process uses
  std::uint64_t file_bytes;    // limit on a file that the child writes
  std::chrono::seconds processor_time;
};

/// A forked copy of this process that runs one function, which may crash or never return and can
/// open no file.
class ChildProcess {
 public:
  /// Starts to run `body` in the child. The child has only the calling thread, so `body` must not
  /// wait for a lock that another thread holds. Throws CheckpointReadError, with `path` in the
  /// message, if the system cannot create a process.
  ChildProcess(const std::string& path, const ChildLimits& limits,
               const std::function<void()>& body);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  /// Kills the child if it still runs.
  ~ChildProcess();

  /// Waits until `body` returns, for as long as the limits allow, and says why it did not return:
  /// "was ended by signal 11 (Segmentation fault)". Empty if it did, or if another part of the
  /// program has collected the child's status, so that the outcome is unknown: `body` has to leave
  /// a sign.
  std::string wait();

 private:
  pid_t process_;  // 0 when it has ended
  std::chrono::seconds patience_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
