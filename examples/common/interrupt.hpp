#pragma once

namespace examples {

/// From now on Ctrl-C, SIGTERM, the end of the terminal (SIGHUP) and that of whatever reads the
/// output (SIGPIPE) ask training to stop after the current step. The second signal of a kind ends
/// the program at once.
void stop_training_on_interrupt();

/// Whether one of these signals came.
bool interrupted();

/// The exit code of a program that was interrupted: 128 and the number of the signal.
int interrupted_code();

}  // namespace examples
