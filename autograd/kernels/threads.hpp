#pragma once

namespace rw {

/// How many threads the work that this thread starts may use, the thread itself included. At first
/// OMP_NUM_THREADS, or the number of processors. 1 inside a parallel region of OpenMP, and in a
/// child of fork(): OpenMP's waiting threads do not survive it, and to wait for them would take for
/// ever.
int threads();

/// Sets that number for the calling thread; it is OpenMP's limit, and so holds for OpenMP code of
/// your own on this thread too. Other threads keep theirs, and a new thread begins with
/// OMP_NUM_THREADS. Fewer are used where work is too small to share. Throws UsageError below 1.
void set_threads(int threads);

/// Holds the calling thread's number at `threads` while it lives: `const ThreadLimit one(1);`. To
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
