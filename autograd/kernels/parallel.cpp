#include <fmt/format.h>
#include <pthread.h>

#include <rewind/autograd/kernels/parallel.hpp>
#include <rewind/autograd/tensor/error.hpp>

// From libgomp, the OpenMP runtime that Debian's oneDNN uses. Declared here instead of using
// <omp.h> and pragmas, because clang's are for another runtime.
extern "C" {
int omp_get_max_threads();
int omp_get_thread_num();
int omp_get_num_threads();
int omp_in_parallel();
void omp_set_num_threads(int threads);
void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
}

namespace rw {
namespace {

// In a child of fork() only the calling thread survives. Its thread team for the next parallel
// region is gone, and libgomp would wait for it.
bool is_forked = false;
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { is_forked = true; });

void check_count(const char* who, int threads) {
  if (threads < 1) {
    throw UsageError(fmt::format("{}: got {} threads, expected at least 1", who, threads));
  }
}

}  // namespace

int threads() { return is_forked || omp_in_parallel() != 0 ? 1 : omp_get_max_threads(); }

void set_threads(int threads) {
  check_count("set_threads", threads);
  omp_set_num_threads(threads);
}

ThreadLimit::ThreadLimit(int threads) : before_(omp_get_max_threads()) {
  check_count("ThreadLimit", threads);
  if (threads != before_) {
    omp_set_num_threads(threads);
  }
}

ThreadLimit::~ThreadLimit() {
  if (omp_get_max_threads() != before_) {
    omp_set_num_threads(before_);
  }
}

}  // namespace rw

namespace rw::detail {
namespace {

struct Team {
  void (*body)(void*, int);
  void* task;
  int parts;
};

void run_part(void* data) {
  const Team& team = *static_cast<const Team*>(data);
  // The runtime may provide fewer threads than requested.
  for (int i = omp_get_thread_num(); i < team.parts; i += omp_get_num_threads()) {
    team.body(team.task, i);
  }
}
}  // namespace

void run_on_threads(int threads, void (*body)(void* task, int i), void* task) {
  Team team{body, task, threads};
  if (threads == 1) {
    body(task, 0);
  } else {
    GOMP_parallel(run_part, &team, static_cast<unsigned>(threads), 0);
  }
}

}  // namespace rw::detail
