#pragma once

namespace examples {

/// From now on Ctrl-C, SIGTERM, and the loss of the terminal (SIGHUP) or of the reader of the
/// output (SIGPIPE) ask training to stop after the current step. A second signal of the same kind
/// ends the program at once.
void stop_training_on_interrupt();

/// Whether one of these signals has arrived.
bool interrupted();

/// The exit code of a program that was interrupted: 128 and the number of the signal.
int interrupted_code();

}  // namespace examples
