#pragma once

namespace rw {

/// How many threads the work that this thread starts may use, including the thread itself.
/// Initially OMP_NUM_THREADS, or the number of processors. 1 inside an OpenMP parallel region, and
/// in a child of fork(), where OpenMP's waiting threads no longer exist.
int threads();

/// Sets that number for the calling thread; it is OpenMP's limit, and so also applies to your own
/// OpenMP code on this thread. Other threads keep theirs, and a new thread begins with
/// OMP_NUM_THREADS. Fewer are used if the work is too small to share. Throws UsageError below 1.
void set_threads(int threads);

/// Sets the calling thread's number to `threads` while it lives: `const ThreadLimit one(1);`. Must
/// be destroyed by the thread that made it. Throws UsageError below 1.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

}  // namespace rw
