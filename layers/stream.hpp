#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <rewind/autograd/capture/plan.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/layer_options.hpp>
#include <rewind/layers/sequence_layer.hpp>

namespace rw {

struct StreamOptions {
  /// Features of the input at each step.
  std::int64_t inputs = 0;
  /// The input is one class number for each row, such as a token for an embedding, instead of
  /// `inputs` features.
  bool tokens = false;
  /// Sequences that run side by side, each with its own state.
  std::int64_t rows = 1;
  /// The type of the model's weights.
  DType dtype = DType::float32;
};

/// A model of one step: the user's own, with `step(x, state)` for x [rows, inputs], or [rows] of
/// int64 for tokens, that returns a pair of output [rows, outputs] and next state.
template <class M>
concept StepModel = requires(const M& model, const Tensor& x) {
  { model.initial_state(std::int64_t{}) } -> RecurrentState;
  model.step(x, model.initial_state(std::int64_t{}));
};

namespace detail {

/// One step of any model: output and next state.
template <class Model, class State>
auto one_step(const Model& model, const Tensor& x, State state) {
  if constexpr (SequenceLayer<Model>) {
    auto [y, next] = model(unsqueeze(x, 0), std::move(state));
    return std::pair(select(y, 0, 0), std::move(next));
  } else if constexpr (Cell<Model>) {
    return model(x, std::move(state));
  } else {
    static_assert(StepModel<Model>,
                  "Stream: the model must be a sequence layer, a cell, or have "
                  "`initial_state(rows)` and `step(x, state)`");
    return model.step(x, std::move(state));
  }
}

}  // namespace detail

/// Runs a recurrent network one step at a time, forever, in real time: for audio, control and
/// text as it arrives.
///
///     rw::Stream stream(lstm, head, {.inputs = 1});
///     stream.step(x, y);             // spans in, spans out
///     stream.process(x, y);          // any number of steps
///     stream.reset();                // back to the initial state
///
/// The constructor runs the model once and captures that step (Plan). From then on step() and
/// process() allocate no memory, take no lock, make no system call and run on the calling thread
/// only; they throw only for spans of wrong sizes, and for a token that is out of range. Outputs
/// equal those of the network over the whole sequence, up to rounding. Denormal numbers count as 0
/// (DenormalsOff).
///
/// Call refresh() after the weights have changed: until then some have their old values, those
/// that are packed (Plan). The model has to live as long as the stream. A stream may be used on any
/// thread, by one at a time; each has its own state. state() can be saved and loaded by io::save
/// and io::load like any other.
class Stream {
 public:
  /// Of a sequence layer, such as LSTM or Stacked; of a cell; or of a StepModel. Throws UsageError
  /// for layers that read a sequence from its end, for a model that cannot be captured, and for
  /// inputs or rows below 1; ShapeError where the inputs do not fit the model.
  template <class Model>
  Stream(const Model& model, const StreamOptions& options) {
    capture_step(
        model, [](const Tensor& y) { return y; }, options);
  }
  /// The same followed by `head`, anything that maps the network's outputs [..., features] to those
  /// of the stream, such as a Linear.
  template <class Network, std::invocable<const Tensor&> Head>
  Stream(const Network& network, const Head& head, const StreamOptions& options) {
    capture_step(network, head, options);
  }

  std::int64_t inputs() const { return inputs_; }
  std::int64_t outputs() const { return outputs_; }
  std::int64_t rows() const { return rows_; }

  /// One step: x holds the inputs of all rows, row after row, y receives their outputs.
  void step(std::span<const float> x, std::span<float> y) { process(x, y); }
  void step(std::span<const double> x, std::span<double> y) { process(x, y); }
  void step(std::span<const std::int64_t> tokens, std::span<float> y) { process(tokens, y); }
  void step(std::span<const std::int64_t> tokens, std::span<double> y) { process(tokens, y); }

  /// As many steps as x and y have room for, one after the other. Throws ShapeError if the sizes do
  /// not belong together, UsageError for numbers of another type than the model's; the state is
  /// then unchanged.
  void process(std::span<const float> x, std::span<float> y);
  void process(std::span<const double> x, std::span<double> y);
  void process(std::span<const std::int64_t> tokens, std::span<float> y);
  void process(std::span<const std::int64_t> tokens, std::span<double> y);

  /// Back to the state at construction.
  void reset();
  /// The state, with names such as "0/h"; writing into its tensors changes the stream.
  StateList state() const { return state_; }
  /// Copies the values of `state`, such as another stream's. Throws ShapeError unless names, shapes
  /// and types are the same; the state is then unchanged.
  void set_state(const StateList& state);
  /// Takes over the present values of the weights, but not of a learned initial state.
  void refresh() { plan_->refresh(); }

 private:
  template <class Model, class Head>
  void capture_step(const Model& model, const Head& head, const StreamOptions& options) {
    check_options(options, options_below("", model));
    auto state = model.initial_state(options.rows);
    state_ = state_of(state);
    Capture capture(first_inputs(options, state_));
    std::size_t i = 1;
    for_each_tensor(state, [&](Tensor& tensor) { tensor = capture.input(i++); });
    auto [y, next] = detail::one_step(model, capture.input(0), std::move(state));
    std::vector<Tensor> results{head(y)};
    for_each_tensor(next, [&](const Tensor& tensor) { results.push_back(tensor); });
    finish(options, capture, std::move(results));
  }

  static void check_options(const StreamOptions& options, const OptionList& model);
  /// An input of one step, then the state.
  static std::vector<Tensor> first_inputs(const StreamOptions& options, const StateList& state);
  /// `results` are the output, then the next state.
  void finish(const StreamOptions& options, Capture& capture, std::vector<Tensor> results);
  template <class In, class Out>
  void run(std::span<const In> x, std::span<Out> y);

  /// A part of the next state, and where the next step reads it.
  struct Move {
    void* to;
    const void* from;
    std::size_t bytes;
  };

  std::int64_t inputs_ = 0;
  std::int64_t outputs_ = 0;
  std::int64_t rows_ = 0;
  std::optional<Plan> plan_;
  StateList state_;
  std::vector<Tensor> initial_;
  std::vector<Move> moves_;
};

}  // namespace rw
