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

/// Seconds a run, one sample for each round. Sample i of every entry of a group was taken in the
/// same round.
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
  double seconds_per_group = 1.0;  // unless the least number of rounds takes longer
};

/// Times the entries by Google Benchmark in rounds: each entry once a round, each round beginning
/// with another entry, so that what slows the machine slows all alike. Warm-up is apart.
std::vector<Timing> measure(const std::vector<Entry>& entries, const Effort& effort);

/// Median over the rounds of seconds(slow) / seconds(fast): how many times as fast `fast` is.
double times_as_fast(const Timing& fast, const Timing& slow);

}  // namespace bench
