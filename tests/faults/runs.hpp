#pragma once

#include <string>

#include "harness.hpp"

namespace faults {

/// The work of the process that is killed: resumes training number `number` from what is saved in
/// `folder`, runs it to its end, and writes its whole state to end.h5 there. Returns the exit code.
int train(int number, const std::string& folder);

/// Trainings of all kinds, each killed `kills` times and resumed in new processes, end with the
/// same bytes as uninterrupted ones. A try is a process.
Count killed_runs(int trainings, int kills);

/// Trainings that do not save their generator must end differently when they are killed. One that
/// does not counts as lost, because then the case above could not notice anything.
Count forgetful_runs(int trainings);

}  // namespace faults
