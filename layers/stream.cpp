#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include <rewind/autograd/kernels/denormals.hpp>
#include <rewind/autograd/tensor/error.hpp>
#include <rewind/layers/stream.hpp>

namespace rw {

void Stream::check_options(const StreamOptions& options, const OptionList& model) {
  check<UsageError>(options.rows >= 1 && (options.tokens || options.inputs >= 1),
                    "Stream: got {} inputs and {} rows, expected at least 1 of each",
                    options.inputs, options.rows);
  check<UsageError>(is_floating(options.dtype),
                    "Stream: got dtype {}, expected float32 or float64, as the weights have",
                    name_of(options.dtype));
  for (const OptionEntry& option : model) {
    const std::string_view path = option.path;
    const bool reads_backward = (path.ends_with("kind") && option.value == "bidirectional") ||
                                (path.ends_with("direction") && option.value == "backward");
    check<UsageError>(!reads_backward,
                      "Stream: '{}' is {}: such a layer begins at the end of a sequence, which a "
                      "stream does not have; use a network of one direction",
                      option.path, option.value);
  }
}

std::vector<Tensor> Stream::first_inputs(const StreamOptions& options, const StateList& state) {
  std::vector<Tensor> inputs{options.tokens ? zeros({options.rows}, DType::int64)
                                            : zeros({options.rows, options.inputs}, options.dtype)};
  for (const StateEntry& entry : state) {
    check<UsageError>(entry.tensor.dtype() == options.dtype,
                      "Stream: the model's state is {}, expected {}; set dtype in the options",
                      name_of(entry.tensor.dtype()), name_of(options.dtype));
    inputs.push_back(entry.tensor);
  }
  return inputs;
}

void Stream::finish(const StreamOptions& options, Capture& capture, std::vector<Tensor> results) {
  check<UsageError>(results.size() == state_.size() + 1,
                    "Stream: the next state has {} tensors, expected {} as the initial state has",
                    results.size() - 1, state_.size());
  rows_ = options.rows;
  inputs_ = options.tokens ? 1 : options.inputs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Tensor& result = results[i];
    if (i > 0) {
      const StateEntry& before = state_[i - 1];
      check_shape(result.shape() == before.tensor.shape(),
                  "Stream: the next state's '{}' is {}, expected {} as it was before", before.path,
                  result.shape(), before.tensor.shape());
    }
    check<UsageError>(result.dtype() == options.dtype,
                      "Stream: the model's output is {}, expected {}; set dtype in the options",
                      name_of(result.dtype()), name_of(options.dtype));
    // A copy: a part of the old state must not be overwritten before it has moved on.
    bool is_old = false;
    for (std::size_t k = 0; k < state_.size(); ++k) {
      is_old = is_old || result.body().block == capture.input(k + 1).body().block;
    }
    if (is_old || !result.is_contiguous()) {
      result = result.clone();
    }
  }
  check_shape(results[0].rank() >= 1 && results[0].size(0) == rows_,
              "Stream: the output of a step is {}, expected [{}, outputs], a row for each sequence",
              results[0].shape(), rows_);
  outputs_ = results[0].elements() / rows_;
  plan_.emplace(capture.finish(std::move(results)));
  for (std::size_t i = 0; i < state_.size(); ++i) {
    const Tensor& now = plan_->input(i + 1);
    initial_.push_back(state_[i].tensor.detach().clone());
    state_[i].tensor = now;
    moves_.push_back({now.body().data, plan_->output(i + 1).body().data,
                      static_cast<std::size_t>(now.elements()) * size_of(now.dtype())});
  }
}

template <class In, class Out>
void Stream::run(std::span<const In> x, std::span<Out> y) {
  const Tensor& input = plan_->input(0);
  const Tensor& output = plan_->output(0);
  if (input.dtype() != dtype_of<In> || output.dtype() != dtype_of<Out>) [[unlikely]] {
    throw UsageError(fmt::format("Stream: got {} and {}, expected {} inputs and {} outputs",
                                 name_of(dtype_of<In>), name_of(dtype_of<Out>),
                                 name_of(input.dtype()), name_of(output.dtype())));
  }
  const auto in = static_cast<std::size_t>(rows_ * inputs_);
  const auto out = static_cast<std::size_t>(rows_ * outputs_);
  // A division takes as long as a small product.
  const std::size_t steps = x.size() == in ? 1 : x.size() / in;
  if (x.size() != steps * in || y.size() != steps * out) [[unlikely]] {
    throw ShapeError(fmt::format(
        "Stream: got {} inputs and room for {} outputs, expected {} and {} for each step ({} rows)",
        x.size(), y.size(), in, out, rows_));
  }
  void* const to = input.body().data;
  const void* const from = output.body().data;
  const DenormalsOff off;
  for (std::size_t step = 0; step < steps; ++step) {
    std::memcpy(to, x.data() + step * in, in * sizeof(In));
    plan_->run();
    std::memcpy(y.data() + step * out, from, out * sizeof(Out));
    for (const Move& move : moves_) {
      std::memcpy(move.to, move.from, move.bytes);
    }
  }
}

void Stream::process(std::span<const float> x, std::span<float> y) { run(x, y); }
void Stream::process(std::span<const double> x, std::span<double> y) { run(x, y); }
void Stream::process(std::span<const std::int64_t> tokens, std::span<float> y) { run(tokens, y); }
void Stream::process(std::span<const std::int64_t> tokens, std::span<double> y) { run(tokens, y); }

namespace {
void copy_values(const Tensor& from, Tensor& to) {
  const Tensor dense = from.is_contiguous() ? from : from.detach().clone();
  std::memcpy(to.body().data, dense.body().data,
              static_cast<std::size_t>(to.elements()) * size_of(to.dtype()));
}
}  // namespace

void Stream::reset() {
  for (std::size_t i = 0; i < state_.size(); ++i) {
    copy_values(initial_[i], state_[i].tensor);
  }
}

void Stream::set_state(const StateList& state) {
  check_shape(state.size() == state_.size(), "set_state: got {} tensors, expected {}", state.size(),
              state_.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    const StateEntry& own = state_[i];
    check_shape(state[i].path == own.path && state[i].tensor.shape() == own.tensor.shape() &&
                    state[i].tensor.dtype() == own.tensor.dtype(),
                "set_state: got '{}' {} {}, expected '{}' {} {}", state[i].path,
                name_of(state[i].tensor.dtype()), state[i].tensor.shape(), own.path,
                name_of(own.tensor.dtype()), own.tensor.shape());
  }
  for (std::size_t i = 0; i < state.size(); ++i) {
    copy_values(state[i].tensor, state_[i].tensor);
  }
}

}  // namespace rw
