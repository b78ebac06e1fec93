#pragma once

#include <functional>

#include "report.hpp"

namespace bench {

/// Figures that are not about a whole network, with one thread. `wanted` says which names to
/// measure; `report` receives each figure once it is known.
struct SingleRun {
  Effort effort;
  std::function<bool(const std::string&)> wanted;
  std::function<void(SingleResult)> report;
};

/// The tape, fused operations against hand-written loops, softmax with cross-entropy, embedding,
/// Adam.
void measure_operations(const SingleRun& run);
/// Steps of the experiments, memory, allocations, growth with the length of the sequence,
/// time with sequences of different lengths.
void measure_steps(const SingleRun& run);
/// One step of a stream against code written by hand for its size, and against a layer call.
void measure_streams(const SingleRun& run);

}  // namespace bench
