#pragma once

#include <string>

#include "harness.hpp"

namespace faults {

/// Trains what `number` stands for, from where it was saved in `folder` up to its end, and leaves
/// its whole state there in end.h5: the work of the process that is killed. Returns the exit code.
int train(int number, const std::string& folder);

/// Trainings of all kinds, killed so often each and resumed in new processes, end with the same
/// bytes as those that are left alone. A try is a process.
Count killed_runs(int trainings, int kills);

/// Trainings that do not save their generator end otherwise when they are killed; one that does not
/// is counted as lost, since then the case above would not notice anything.
Count forgetful_runs(int trainings);

}  // namespace faults
