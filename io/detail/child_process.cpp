#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/tensor/sanitized.hpp>
#include <rewind/io/detail/child_process.hpp>
#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/wait_for_process.hpp>
#include <rewind/io/error.hpp>

namespace rw::io::detail {
namespace {

constexpr int failed = 1;

/// Bytes of address space that this process uses.
std::uint64_t address_space() {
  unsigned long long pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%llu", &pages) != 1) {
      pages = 0;
    }
    std::fclose(file);
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Lowers a limit; never raises one that is lower already.
template <class Resource>
void limit(Resource resource, std::uint64_t most) {
  rlimit bounds = {};
  if (::getrlimit(resource, &bounds) == 0) {
    bounds.rlim_cur = std::min<rlim_t>(bounds.rlim_cur, most);
    bounds.rlim_max = bounds.rlim_cur;
    ::setrlimit(resource, &bounds);
  }
}

/// Runs in the child, where the program's signal handlers and exit functions must not run.
[[noreturn]] void run(const ChildLimits& limits, std::uint64_t memory_bytes,
                      const std::function<void()>& body) {
  for (int signal = 1; signal < NSIG; ++signal) {
    std::signal(signal, SIG_DFL);
  }
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C reaches the parent too, which decides
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NPROC, 0);
  limit(RLIMIT_FSIZE, limits.file_bytes);
  limit(RLIMIT_CPU, static_cast<std::uint64_t>(limits.processor_time.count()));
  // Sanitizers reserve more memory than any limit allows, and open pipes to find out which memory
  // they may read.
  if (!rw::detail::is_sanitized) {
    limit(RLIMIT_NOFILE, 0);  // no file can be opened from here on
    limit(RLIMIT_AS, memory_bytes);
  }
  try {
    body();
  } catch (...) {
    ::_exit(failed);
  }
  ::_exit(0);
}

std::string describe(int status) {
  if (WIFEXITED(status)) {
    return WEXITSTATUS(status) == 0 ? "" : "failed";
  }
  const int signal = WTERMSIG(status);
  return signal == SIGXCPU || signal == SIGKILL ? "took too long or was killed" : ending_of(status);
}

}  // namespace

ChildProcess::ChildProcess(const std::string& path, const ChildLimits& limits,
                           const std::function<void()>& body)
    : patience_(std::chrono::seconds(10) + 20 * limits.processor_time) {
  ChildLimits allowed = limits;
  if (rw::detail::is_sanitized) {  // sanitizers make it several times slower
    allowed.processor_time *= 10;
  }
  // Measured before the fork, because the child can open no file.
  const std::uint64_t memory_bytes = address_space() + limits.memory_bytes;
  process_ = ::fork();
  if (process_ < 0) {
    throw CheckpointReadError(
        fmt::format("checkpoint '{}' cannot be read: cannot start the process that reads foreign "
                    "HDF5 files: {}",
                    path, std::strerror(errno)));
  }
  if (process_ == 0) {
    run(allowed, memory_bytes, body);
  }
}

ChildProcess::~ChildProcess() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    retried([&] { return ::waitpid(process_, nullptr, 0); });
  }
}

std::string ChildProcess::wait() {
  const auto status = wait_for_process(process_, std::chrono::steady_clock::now() + patience_);
  if (!status) {
    return "took too long";  // the destructor kills it
  }
  process_ = 0;
  return describe(*status);
}

}  // namespace rw::io::detail
