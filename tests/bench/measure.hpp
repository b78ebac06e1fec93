#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench {

/// Something to be timed.
struct Entry {
  std::string name;
  int threads;
  std::function<void()> run;
};

/// Seconds per run, one sample per round. Sample i of every entry of a group was taken in the same
/// round.
struct Timing {
  std::string name;
  int threads = 1;
  std::vector<double> seconds;

  double median() const;
};

struct Effort {
  int least_rounds = 7;
  int most_rounds = 31;
  double seconds_per_sample = 4e-3;
  double seconds_per_group = 1.0;  // more if the minimum number of rounds takes longer
};

/// Times the entries with Google Benchmark in rounds. Each entry runs once per round, and each
/// round begins with another entry, so that a slow phase of the machine affects all alike. Warm-up
/// is not counted.
std::vector<Timing> measure(const std::vector<Entry>& entries, const Effort& effort);

/// Median over the rounds of seconds(slow) / seconds(fast): how many times as fast `fast` is.
double times_as_fast(const Timing& fast, const Timing& slow);

}  // namespace bench
