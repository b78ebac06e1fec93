#pragma once

#include <rewind/layers/detail/recorded_run.hpp>

namespace rw {

class GradientFlow;
class Tape;

/// While alive, records each step of every recurrent layer that runs on this thread, alone or
/// inside a stack, a bidirectional layer or a hand-written model: the input, the state before and
/// after, and how to compute the step again. Only the innermost recorder is active.
///
///     Tape tape;
///     StateRecorder recorder;
///     Tensor loss = ...;  // depends on lstm(x)
///     for (const GradientFlow& flow : gradient_flow(tape, loss, recorder)) {
///       fmt::print("{}", to_string(flow));
///     }
///
/// Values and gradients do not change. Without a live recorder, layers do no extra work. The
/// recorder keeps a copy of each cell's weights and all states until clear() or its end. A run of
/// no steps, or one that threw, is not recorded.
class StateRecorder {
 public:
  StateRecorder() : scope_(detail::state_recorder, detail::state_recorders, this) {}

  /// Number of runs since construction or clear().
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
