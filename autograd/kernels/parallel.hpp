#pragma once
// Runs tasks on the threads of OpenMP's runtime, which oneDNN's products use as well, so that both
// share the same few threads.

#include <algorithm>
#include <cstdint>

#include <rewind/autograd/kernels/threads.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// The number of threads that a task of `work` units can use, with at least `least` units each:
/// waking a thread for fewer costs more than it saves.
inline int worthwhile_threads(double work, double least) {
  return work < 2 * least
             ? 1
             : static_cast<int>(std::clamp(work / least, 1.0, static_cast<double>(threads())));
}

/// Calls body(task, i) for i in [0, threads), each on its own thread. `body` must not throw.
void run_on_threads(int threads, void (*body)(void* task, int i), void* task);

/// Divides [0, size) into parts of whole blocks (the last may be shorter) for at most `threads`
/// threads, and calls body(begin, count) for each part on its thread. `body` must not throw.
template <class Body>
void run_in_parts(std::int64_t size, std::int64_t block, std::int64_t threads, const Body& body) {
  if (size == 0) {
    return;
  }
  const std::int64_t blocks = (size + block - 1) / block;
  struct Task {
    const Body& body;
    std::int64_t size;
    std::int64_t part;
    static void run(void* task, int i) {
      const Task& all = *static_cast<const Task*>(task);
      const std::int64_t begin = i * all.part;
      all.body(begin, std::min(all.part, all.size - begin));
    }
  };
  Task task{body, size, (blocks + threads - 1) / threads * block};
  run_on_threads(static_cast<int>((size + task.part - 1) / task.part), &Task::run, &task);
}

}  // namespace rw::detail

#pragma GCC visibility pop
