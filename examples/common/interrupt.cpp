#include "common/interrupt.hpp"

#include <array>
#include <csignal>

namespace examples {

namespace {
volatile std::sig_atomic_t pressed = 0;

/// Gives the calling thread's handlers a stack of their own, if they have none: whatever code a
/// signal interrupts may be using its stack pointer for something else.
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
  action.sa_handler = [](int) { pressed = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART | SA_ONSTACK);
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return pressed != 0; }

}  // namespace examples
