#pragma once

namespace examples {

/// From now on Ctrl-C asks training to stop after the current step; pressed again, it ends the
/// program at once.
void stop_training_on_interrupt();

/// Whether Ctrl-C was pressed.
bool interrupted();

/// The exit code of a program that Ctrl-C ended.
inline constexpr int interrupted_code = 130;

}  // namespace examples
