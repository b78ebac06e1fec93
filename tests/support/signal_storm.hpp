#pragma once
// A signal every 100 microseconds, as from a profiler.

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <stdexcept>

namespace rw::testing {

/// Signals handled since the program began.
inline std::atomic<std::int64_t> handled_signals{0};

/// While it exists, a timer interrupts the process. The handler runs on the stack of the
/// interrupted thread: code must bear that, because profilers and Ctrl-C interrupt it the same way.
class SignalStorm {
 public:
  explicit SignalStorm(std::int64_t microseconds = 100) {
    struct sigaction action = {};
    action.sa_handler = [](int) { handled_signals.fetch_add(1, std::memory_order_relaxed); };
    action.sa_flags = SA_RESTART;
    sigaction(signal(), &action, &before_);
    sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal();
    const timespec period{0, microseconds * 1000};
    const itimerspec times{period, period};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0 ||
        timer_settime(timer_, 0, &times, nullptr) != 0) {
      throw std::runtime_error("SignalStorm: no timer");
    }
  }
  ~SignalStorm() {
    timer_delete(timer_);
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;  // discards a pending one
    sigaction(signal(), &ignore, nullptr);
    sigaction(signal(), &before_, nullptr);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

  /// A signal that nothing else uses.
  static int signal() { return SIGRTMIN + 1; }

 private:
  struct sigaction before_ = {};
  timer_t timer_{};
};

/// While it exists, the calling thread is not interrupted: other threads get the signals.
class ShelteredThread {
 public:
  ShelteredThread() {
    sigset_t storm;
    sigemptyset(&storm);
    sigaddset(&storm, SignalStorm::signal());
    pthread_sigmask(SIG_BLOCK, &storm, &before_);
  }
  ~ShelteredThread() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  ShelteredThread(const ShelteredThread&) = delete;
  ShelteredThread& operator=(const ShelteredThread&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace rw::testing
