#pragma once

#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/state_recorder.hpp>

namespace rw {

/// How the gradient of a loss flows back through time, in one run of one recurrent layer over x [T,
/// B, input]: whether it vanishes, explodes or persists (Bengio et al. 1994, Pascanu et al. 2013).
///
/// Steps are those of x, 0 to T - 1, whatever the direction of the run, the lengths of the
/// sequences and the side of their padding; where a sequence has no step everything is 0. State
/// tensors are numbered as the cell's State lists them: h is 0 and c is 1 in an LSTM. Holds values
/// only: tape, recorder and layer may be gone, and weights may have changed since.
class GradientFlow {
 public:
  /// The cell's name, such as "lstm", or "recurrent" for a cell without one.
  const std::string& name() const { return run_->name; }
  Direction direction() const { return run_->direction; }
  std::int64_t steps() const { return run_->length; }
  std::int64_t batch() const { return run_->batch; }
  int state_tensors() const;
  /// The names of the state's tensors, such as "h" and "c"; numbers if they have no names.
  const std::vector<std::string>& state_names() const { return run_->state_names; }

  /// dL/ds_t [T, B, ...], with s_t one tensor of the state after step t: its whole effect on the
  /// loss, through later steps, through the output and where the state was used directly. Throws
  /// UsageError when there is no such tensor.
  Tensor state_gradients(int tensor = 0) const;
  /// |dL/ds_t| over all sequences, float64 [T].
  Tensor state_norms(int tensor = 0) const;

  /// Paths of the cell's parameters, such as "w_h".
  const std::vector<std::string>& weights() const { return run_->weight_names; }
  /// Step t's own part of dL/dW, where W in all other steps is treated as a constant: the parts of
  /// all steps sum to the gradient of the run. Runs the step again. Throws UsageError for a step
  /// outside x and for an unknown name.
  Tensor weight_contribution(const std::string& weight, std::int64_t step) const;
  /// The norms of these parts, float64 [T].
  Tensor weight_norms(const std::string& weight) const;

  /// The recurrent Jacobian at a step, for one sequence of the batch: J_ij = d s_t,i / d s_t-1,j,
  /// float64 [S, S], where S counts all numbers of the sequence's state, tensor after tensor. (In a
  /// backward run s_t-1 is the state of step t + 1.) Costs S backward passes over the step. Throws
  /// UsageError where the sequence has no such step.
  Tensor jacobian(std::int64_t step, std::int64_t sequence = 0) const;
  /// Its spectral radius, the largest |eigenvalue|; NaN if the Jacobian is not finite. If steps are
  /// alike, the gradient's norm changes by this factor per step in the long run.
  double spectral_radius(std::int64_t step, std::int64_t sequence = 0) const;
  /// Its largest singular value: the most by which one step can increase the gradient's norm.
  double largest_singular_value(std::int64_t step, std::int64_t sequence = 0) const;

 private:
  friend std::vector<GradientFlow> gradient_flow(Tape& tape, const Tensor& loss,
                                                 const StateRecorder& recorder);

  /// The gradients of one packed step (Note [Recorded steps]).
  struct StepGradients {
    TensorList total;    // of the state's tensors
    TensorList outside;  // of the output and the state's tensors, from outside the step
  };

  GradientFlow() = default;
  void check_step(std::int64_t step) const;
  std::size_t weight_number(const std::string& weight) const;
  TensorList contributions(std::int64_t step, std::span<const std::size_t> wanted) const;

  std::shared_ptr<const detail::RecordedRun> run_;
  std::vector<StepGradients> gradients_;
};

/// The flow of d loss / d state through each run that `recorder` has recorded on `tape`, in the
/// order in which they ended: layer by layer for a stack. Parameter gradients do not change.
/// tape.backward(loss) may be called afterwards, or before if it retains the graph.
///
/// Throws UsageError when nothing was recorded on this tape, and as Tape::gradient does.
std::vector<GradientFlow> gradient_flow(Tape& tape, const Tensor& loss,
                                        const StateRecorder& recorder);

/// A readable report: the norms of dL/ds_t and of each step's part of every weight's gradient, as
/// numbers for the first and the last step and as small bars on a logarithmic scale for all steps.
std::string to_string(const GradientFlow& flow);

}  // namespace rw
