#pragma once

#include <rewind/layers/detail/packing.hpp>
#include <rewind/layers/state_rows.hpp>

namespace rw::detail {

/// The state of the sequences that still run (Note [Packed sequences]): rows leave it where
/// sequences end.
template <class State>
class RunningState {
 public:
  /// `start` has the rows of all sequences, in the order of the batch.
  RunningState(const Packing& packing, State start)
      : packing_(packing), state_(std::move(start)), rows_(packing.batch()) {
    for_each_tensor(state_, [&](Tensor& tensor) { tensor = packing.by_length(tensor); });
  }

  /// The state before `step`.
  State& before(std::int64_t step) {
    const std::int64_t active = packing_.active(step);
    if (active < rows_) {
      ended_.push_back(slice_rows(state_, active, rows_));
      state_ = slice_rows(std::move(state_), 0, active);
      rows_ = active;
    }
    return state_;
  }

  /// Each sequence's state after its own last step, in the order of the batch.
  State finish() {
    if (!ended_.empty()) {
      ended_.push_back(std::move(state_));
      std::reverse(ended_.begin(), ended_.end());
      state_ = concat_rows(std::span<const State>(ended_));
    }
    for_each_tensor(state_, [&](Tensor& tensor) { tensor = packing_.in_order(tensor); });
    return std::move(state_);
  }

 private:
  const Packing& packing_;
  State state_;
  std::int64_t rows_;
  StateVector<State> ended_;
};

}  // namespace rw::detail
