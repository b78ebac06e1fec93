#pragma once

#include "harness.hpp"

namespace faults {

/// kill -9 while generations of `elements` values are saved one after another.
Count kills_at_random_moments(int tries, std::int64_t elements);
/// kill -9 at each system call of a save.
Count kills_at_each_call();
/// Each system call of a save fails, with each of several errors.
Count failing_calls();
/// Writes that write only a part, or nothing.
Count short_writes();
/// RLIMIT_FSIZE at each 4 KiB of a file and at 200 random bytes.
Count limited_file_sizes(bool ignores_signal);
/// A tmpfs of 2 MiB, filled to 64 levels. No tries if mounting is not allowed.
Count full_disks();
/// The n-th allocation of a save fails, or every one from the n-th on.
Count failing_allocations_of_saves(bool from_then_on);
Count two_savers_and_a_reader(int saves);
/// Children, forked from a process that is saving, that save too.
Count forks_while_saving(int tries);

/// Each system call of a load fails, or reads only a part.
Count failing_reads();
/// The n-th allocation of a load fails, or every one from the n-th on.
Count failing_allocations_of_loads(bool from_then_on);

}  // namespace faults
