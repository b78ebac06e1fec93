#pragma once
// The threads of OpenMP's runtime, which oneDNN's products run on as well, so that both keep the
// same few threads awake.

#include <algorithm>
#include <cstdint>

namespace rw::detail {

/// Threads that a task started here may use: the limit of OpenMP, or 1 inside a parallel region.
int available_threads();

/// As many threads as a task of `work` units can use, each with at least `least` of them: waking
/// one for less costs more than it saves.
inline int worthwhile_threads(double work, double least) {
  return work < 2 * least ? 1
                          : static_cast<int>(std::clamp(work / least, 1.0,
                                                        static_cast<double>(available_threads())));
}

/// Holds this thread's OpenMP limit at `threads` while it lives.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

/// Calls body(task, i) for i in [0, threads), each on a thread of its own. `body` must not throw.
void run_on_threads(int threads, void (*body)(void* task, int i), void* task);

}  // namespace rw::detail
