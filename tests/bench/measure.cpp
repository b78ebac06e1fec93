#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>

#include <benchmark/benchmark.h>

#include "threads.hpp"

namespace bench {

namespace {

double median_of(std::vector<double> values) {
  if (values.empty()) {
    throw std::logic_error("bench: the median of nothing");
  }
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Collects the time of one run of each entry, in the order in which the entries run.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      seconds.push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
    }
  }

  std::vector<double> seconds;
};

/// Seconds of one run after one warm-up run, and how many runs make a sample.
std::pair<double, std::int64_t> calibrate(const Entry& entry, const Effort& effort) {
  set_threads(entry.threads);
  entry.run();
  double seconds = 1e9;
  for (int i = 0; i < 3 && (i == 0 || seconds < 0.05); ++i) {
    const auto start = std::chrono::steady_clock::now();
    entry.run();
    seconds = std::min(
        seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double runs = std::ceil(effort.seconds_per_sample / std::max(seconds, 1e-9));
  return {seconds, static_cast<std::int64_t>(std::clamp(runs, 1.0, 1e6))};
}

}  // namespace

double Timing::median() const { return median_of(seconds); }

double times_as_fast(const Timing& fast, const Timing& slow) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < fast.seconds.size(); ++i) {
    ratios.push_back(slow.seconds[i] / fast.seconds[i]);
  }
  return median_of(std::move(ratios));
}

std::vector<Timing> measure(const std::vector<Entry>& entries, const Effort& effort) {
  std::vector<Timing> timings;
  std::vector<std::int64_t> runs;
  double seconds_per_round = 0;
  for (const Entry& entry : entries) {
    const auto [seconds, count] = calibrate(entry, effort);
    timings.push_back({entry.name, entry.threads, {}});
    runs.push_back(count);
    seconds_per_round += seconds * static_cast<double>(count);
  }
  const int rounds = static_cast<int>(std::clamp(
      effort.seconds_per_group / std::max(seconds_per_round, 1e-6),
      static_cast<double>(effort.least_rounds), static_cast<double>(effort.most_rounds)));
  for (int round = 0; round < rounds; ++round) {
    benchmark::ClearRegisteredBenchmarks();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::size_t which = (i + static_cast<std::size_t>(round)) % entries.size();
      const Entry& entry = entries[which];
      benchmark::RegisterBenchmark(entry.name.c_str(),
                                   [&entry](benchmark::State& state) {
                                     set_threads(entry.threads);
                                     for (auto _ : state) {
                                       entry.run();
                                     }
                                   })
          ->Iterations(runs[which])
          ->UseRealTime();
    }
    Collector collector;
    benchmark::RunSpecifiedBenchmarks(&collector, nullptr, ".");
    if (collector.seconds.size() != entries.size()) {
      throw std::logic_error("bench: Google Benchmark left entries out");
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::size_t which = (i + static_cast<std::size_t>(round)) % entries.size();
      timings[which].seconds.push_back(collector.seconds[i]);
    }
  }
  benchmark::ClearRegisteredBenchmarks();
  return timings;
}

}  // namespace bench
