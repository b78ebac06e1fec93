#pragma once

#include <rewind/layers/detail/recorded_run.hpp>

namespace rw {

class GradientFlow;
class Tape;

/// While alive, every recurrent layer that runs on this thread notes each of its steps here, by
/// itself or inside a stack, a bidirectional layer or a model made by hand: the input, the state
/// before and after, and how to compute the step again. The innermost recorder counts.
///
///     Tape tape;
///     StateRecorder recorder;
///     Tensor loss = ...;  // of what lstm(x) gives
///     for (const GradientFlow& flow : gradient_flow(tape, loss, recorder)) {
///       fmt::print("{}", to_string(flow));
///     }
///
/// Neither values nor gradients change. A layer that runs while no recorder is alive does no work
/// for it. One that does keeps a copy of its cell's weights and all its states until clear() or the
/// recorder's end. A run of no steps, or one that threw, is not noted.
class StateRecorder {
 public:
  StateRecorder() : scope_(detail::state_recorder, detail::state_recorders, this) {}

  /// Number of runs since the beginning or clear().
  std::size_t runs() const { return runs_.size(); }
  /// Forgets them.
  void clear() { runs_.clear(); }

 private:
  friend void detail::end_recording(std::unique_ptr<detail::RecordedRun> run);
  friend std::vector<GradientFlow> gradient_flow(Tape& tape, const Tensor& loss,
                                                 const StateRecorder& recorder);

  detail::ThreadScope<StateRecorder> scope_;
  std::vector<std::shared_ptr<const detail::RecordedRun>> runs_;
};

}  // namespace rw
