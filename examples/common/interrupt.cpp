#include "common/interrupt.hpp"

#include <csignal>

namespace examples {

namespace {
volatile std::sig_atomic_t pressed = 0;
}

void stop_training_on_interrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int) { pressed = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return pressed != 0; }

}  // namespace examples
