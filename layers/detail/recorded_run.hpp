#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/thread_scope.hpp>
#include <rewind/layers/detail/packing.hpp>
#include <rewind/layers/recurrent_dropout.hpp>
#include <rewind/layers/state_rows.hpp>

namespace rw {
class StateRecorder;
}

namespace rw::detail {

// Note [Recorded steps]
// While a StateRecorder is alive, each step of a run passes its output and its state through
// identities on the tape. The gradient of an identity's result comes from outside the step: from
// later steps, the output and any other reader of the state. A backward pass over the step alone,
// starting from this gradient, gives the step's own part of a weight's gradient. The gradient of
// the identity's argument, the state, also includes the contribution through the step's own output:
// it is the dL/ds_t of textbooks. In a cell whose output is its state the two differ by exactly
// that contribution.
//
// A step is run again with a copy of the cell, made when the run began, so that layer, weights and
// tape may change or end before the flow is computed.

/// One step of a run: the rows of the sequences that were still running.
struct RecordedStep {
  Tensor x;             // [rows, input]; a constant, like `before`
  TensorList before;    // the state's tensors
  TensorList computed;  // the state after the step, as the cell returned it
  // The output and then the state, as seen from outside the step. An output that is part of the
  // state is undefined here.
  TensorList handed_on;
  std::optional<Rng> rng;  // before zoneout drew from it
};

/// One run of a recurrent layer.
struct RecordedRun {
  /// Computes a step again with `weights` as the cell's parameters: the output and then the state.
  using Replay = std::function<TensorList(std::span<const Tensor> weights, const RecordedStep& step,
                                          const TensorList& before)>;

  RecordedRun(std::string name, const Packing& packing, const Sequence& x, Direction direction);

  std::string name;
  Direction direction;
  std::int64_t length;               // T
  std::int64_t batch;                // B
  std::vector<std::int64_t> places;  // step * B + sequence of each packed row
  std::vector<RecordedStep> steps;   // as packed (Note [Packed sequences])
  std::vector<std::int64_t> begin;   // the first row of each of them, and the number of all
  std::vector<std::string> state_names;
  std::vector<std::string> weight_names;
  TensorList weights;  // copies
  Replay replay;

  /// Replaces the output and the state by the identities that are passed on.
  void note(std::int64_t step, const Tensor& x, const TensorList& before, Tensor& y,
            TensorList& after);
};

/// The innermost recorder of this thread, or null. Note [One variable per process]
extern constinit thread_local StateRecorder* state_recorder;
extern constinit thread_local ThreadScope<StateRecorder>* state_recorders;

/// A copy of `cell`, independent of it, that reads `weights` in the order of parameters(cell).
template <class C>
C with_weights(const C& cell, std::span<const Tensor> weights) {
  const CopiesShareValues guard;
  C copy = cell;
  std::size_t i = 0;
  for (const NamedParameter& entry : parameters(copy)) {
    entry.parameter->stand_for(weights[i++]);
  }
  return copy;
}

/// `x` as part of an initial state, recorded on the tape even if it depends on no parameter, so
/// that it has a gradient.
Tensor watched(const Tensor& x);

/// The record of a run from `state`; null unless a recorder is alive.
template <class C>
std::unique_ptr<RecordedRun> begin_recording(const C& cell, Direction direction,
                                             const RecurrentDropout& dropout,
                                             const Packing& packing, const Sequence& x,
                                             typename C::State& state, OptionalRng rng) {
  if (state_recorder == nullptr) [[likely]] {
    return nullptr;
  }
  auto run = std::make_unique<RecordedRun>(name_of_cell<C>(), packing, x, direction);
  walk_state(std::string(), state, [&](const std::string& path, const Tensor&) {
    run->state_names.push_back(path.empty() ? "0" : path);
  });
  C copy = cell;
  for (const NamedParameter& entry : parameters(copy)) {
    run->weight_names.push_back(entry.path);
    run->weights.push_back(entry.parameter->value().detach());
  }
  const bool drops = rng && (dropout.states > 0 || dropout.weights > 0);
  for_each_tensor(state, [](Tensor& tensor) { tensor = watched(tensor); });
  run->replay = [copy, dropout, form = detach(state),
                 matrices = drops ? std::optional<Rng>(*rng) : std::nullopt](
                    std::span<const Tensor> weights, const RecordedStep& step,
                    const TensorList& before) {
    C used = with_weights(copy, weights);
    if (matrices.has_value()) {
      Rng same = *matrices;
      used = with_dropped_matrices(used, dropout, same);
    }
    typename C::State start = form;
    std::size_t i = 0;
    for_each_tensor(start, [&](Tensor& tensor) { tensor = before[i++]; });
    auto [y, next] = used(step.x, start);
    if (dropout.zoneout > 0 || dropout.zoneout_cell > 0) {
      std::optional<Rng> same = step.rng;
      apply_zoneout(start, y, next, dropout, same.has_value() ? OptionalRng(*same) : std::nullopt);
    }
    TensorList results{y};
    for_each_tensor(next, [&](const Tensor& tensor) { results.push_back(tensor); });
    return results;
  };
  return run;
}

/// Records one step, and replaces `y` and `next` by the identities that are passed on.
template <class State>
void note_step(RecordedRun& run, std::int64_t step, const Tensor& x, const State& before, Tensor& y,
               State& next) {
  TensorList after = tensors_of(next);
  run.note(step, x, tensors_of(before), y, after);
  std::size_t i = 0;
  for_each_tensor(next, [&](Tensor& tensor) { tensor = after[i++]; });
}

/// Gives the run to the recorder after the last step. Does nothing for null.
void end_recording(std::unique_ptr<RecordedRun> run);

}  // namespace rw::detail
