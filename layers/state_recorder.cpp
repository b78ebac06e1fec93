#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/state_recorder.hpp>

namespace rw::detail {

constinit thread_local StateRecorder* state_recorder = nullptr;
constinit thread_local ThreadScope<StateRecorder>* state_recorders = nullptr;

namespace {

/// Note [Recorded steps]
Tensor handed_on(const Tensor& x) { return alias("recorded_step", x); }

}  // namespace

RecordedRun::RecordedRun(std::string name_of_cell, const Packing& packing, const Sequence& x,
                         Direction direction_of_run)
    : name(std::move(name_of_cell)),
      direction(direction_of_run),
      length(x.steps.size(0)),
      batch(packing.batch()),
      steps(static_cast<std::size_t>(packing.steps())) {
  for (std::int64_t step = 0; step <= packing.steps(); ++step) {
    begin.push_back(packing.begin(step));
  }
  for (std::int64_t row = 0; row < begin.back(); ++row) {
    places.push_back(packing.place(row));
  }
}

void RecordedRun::note(std::int64_t number, const Tensor& x, const TensorList& before, Tensor& y,
                       TensorList& after) {
  RecordedStep& step = steps[static_cast<std::size_t>(number)];
  step.x = x.detach();
  for (const Tensor& old : before) {
    step.before.push_back(old.detach());
    for (Tensor& tensor : after) {
      if (tensor.same_as(old)) {  // passed through: from here on this step's own
        const bool is_output = y.same_as(tensor);
        tensor = handed_on(tensor);
        y = is_output ? tensor : y;
      }
    }
  }
  step.computed = after;
  // An output that is a state tensor stays one, so that gradients are summed in the usual order.
  bool is_state = false;
  TensorList states;
  for (Tensor& tensor : after) {
    const bool is_output = !is_state && y.same_as(tensor);
    tensor = handed_on(tensor);
    states.push_back(tensor);
    if (is_output) {
      y = tensor;
      is_state = true;
    }
  }
  if (!is_state) {
    y = handed_on(y);
  }
  step.handed_on.push_back(is_state ? Tensor() : y);
  step.handed_on.insert(step.handed_on.end(), states.begin(), states.end());
}

Tensor watched(const Tensor& x) {
  Tape* const tape = Tape::active();
  return tape == nullptr || !is_floating(x.dtype()) || x.requires_grad() ? x : tape->watch(x);
}

void end_recording(std::unique_ptr<RecordedRun> run) {
  if (run != nullptr && state_recorder != nullptr) {
    state_recorder->runs_.push_back(std::move(run));
  }
}

}  // namespace rw::detail
