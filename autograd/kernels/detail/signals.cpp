#include <csignal>

#include <sys/syscall.h>
#include <unistd.h>

#include <rewind/autograd/kernels/detail/signals.hpp>

namespace rw::detail {

// Calls the system call directly: pthread_sigmask does not block the two signals with which the C
// library cancels threads and changes users, and their handlers use the stack too.

SignalsBlocked::SignalsBlocked() {
  const std::uint64_t all = ~std::uint64_t{0};
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before_, sizeof(before_));
}

SignalsBlocked::~SignalsBlocked() {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof(before_));
}

}  // namespace rw::detail
