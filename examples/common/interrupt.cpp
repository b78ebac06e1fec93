#include "common/interrupt.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace examples {

namespace {
volatile std::sig_atomic_t received = 0;  // the first signal

/// Discards further output to `file`, which nobody reads any more, so that writing does not fail.
/// Does nothing if `file` has another type than `type`.
void redirect(int file, mode_t type) {
  struct stat status = {};
  if (::fstat(file, &status) != 0 || (status.st_mode & S_IFMT) != type) {
    return;
  }
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) {
    ::dup2(nowhere, file);
    ::close(nowhere);
  }
}

void note(int signal) {
  if (received == 0) {
    received = signal;
  }
  const int saved_error = errno;
  if (signal == SIGPIPE) {
    std::signal(SIGPIPE, SIG_IGN);
    redirect(STDOUT_FILENO, S_IFIFO);
    redirect(STDOUT_FILENO, S_IFSOCK);
  } else if (signal == SIGHUP) {  // the terminal is gone
    redirect(STDOUT_FILENO, S_IFCHR);
    redirect(STDERR_FILENO, S_IFCHR);
  }
  errno = saved_error;
}

/// Gives the calling thread a separate stack for signal handlers, if it has none: the code that a
/// signal interrupts may use its stack pointer for something else.
void provide_signal_stack() {
  alignas(64) static std::array<char, 64 * 1024> memory;
  stack_t present = {};
  if (sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) return;
  stack_t stack = {};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  sigaltstack(&stack, nullptr);
}
}  // namespace

void stop_training_on_interrupt() {
  if (interrupted()) return;
  provide_signal_stack();
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART | SA_ONSTACK);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction present = {};
    sigaction(signal, nullptr, &present);
    if (present.sa_handler != SIG_IGN) {  // ignored, as nohup asks: leave it so
      sigaction(signal, &action, nullptr);
    }
  }
}

bool interrupted() { return received != 0; }

int interrupted_code() { return 128 + received; }

}  // namespace examples
