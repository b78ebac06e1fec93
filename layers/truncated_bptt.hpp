#pragma once

#include <algorithm>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/layers/state_rows.hpp>

namespace rw {

/// Steps [begin, end) of a chunk.
struct TimeSteps {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  /// These steps of a tensor whose first axis is time, such as the targets.
  Tensor of(const Tensor& chunk) const { return slice(chunk, 0, begin, end); }
};

struct TruncationOptions {
  /// k1: a gradient is computed after every k1 steps; 0 means at the end of each chunk.
  std::int64_t every = 0;
  /// k2: the number of steps it flows through; 0 means as many as `every`.
  std::int64_t back = 0;
};

namespace detail {

/// The overlap of consecutive windows: the last `overlap` steps of input, to be run again.
class OverlapInput {
 public:
  /// Throws UsageError for invalid options.
  OverlapInput(const TruncationOptions& options, const Tensor& step_like);

  /// The end of the group of new steps that begins at `begin`.
  std::int64_t end_of_group(std::int64_t begin, std::int64_t length) const {
    return every_ == 0 ? length : std::min(begin + every_, length);
  }
  /// How many old steps the window after the next begins with, if the next has `fresh` new ones.
  std::int64_t kept_after(std::int64_t fresh) const { return std::min(overlap_, kept() + fresh); }
  /// The old steps and then the new ones. Throws ShapeError when their shapes do not match.
  Tensor window(const Tensor& fresh) const;
  /// Keeps the last steps of a window.
  void keep(const Tensor& window);
  void clear() { count_ = zeros({1}, DType::int64); }
  void append_options(OptionList& list) const;
  /// Appends the state to save in a checkpoint.
  void append_state(StateList& list) const;

 private:
  std::int64_t kept() const { return count_.data<std::int64_t>()[0]; }

  std::int64_t every_;
  std::int64_t overlap_;
  Tensor steps_;  // [overlap, ...], the last ones valid; undefined until the shape is known
  Tensor count_;  // int64 [1], how many
};

/// Throws UsageError for a window of no steps or an x of none.
void check_window(std::int64_t window, const Tensor& x);

}  // namespace detail

/// Truncated back-propagation through time, BPTT(k2; k1) (Williams & Peng 1990): streams too long
/// for one backward pass are cut into chunks; the state passes from one chunk to the next as a
/// constant, and a gradient flows through the last k2 steps only.
///
///     TruncatedBptt bptt(lstm.initial_state(batch), {.every = 10, .back = 30});
///     for (const auto& chunk : bptt_batches(...)) {
///       bptt.run(lstm, chunk.x,
///           [&](const Tensor& y, const TimeSteps& steps) {
///             return cross_entropy(readout(y), steps.of(chunk.targets));
///           },
///           [&](const Tensor& loss) { optimizer.step(); optimizer.zero_grad(); });
///     }
///
/// Without options a gradient is computed at the end of each chunk, through the whole chunk. If k2
/// is larger than k1, each window begins k2 - k1 steps before its new steps, at a saved state;
/// those steps are run again with the current weights, and have no loss. So the gradient is exactly
/// that of the loss of the new steps in the graph of the window. The last group of a chunk may have
/// fewer than k1 new steps and the first windows of a stream fewer old ones; these windows are
/// shorter than k2. Initial states are treated as constants, even learned ones.
///
/// The network is any callable from (x, state) to {y, state}: a layer, or a lambda around a whole
/// model or one with dropout. Chunks may differ in length; x is [T, ...] with any further axes,
/// such as token numbers [T, B].
template <class State>
class TruncatedBptt {
 public:
  /// Begins a stream with `start`. A checkpoint can be restored before the first chunk if k2 = k1
  /// or if `step_like` is given: one step of the input, of which only shape and type matter. Throws
  /// UsageError for invalid options.
  explicit TruncatedBptt(const State& start, const TruncationOptions& options = {},
                         const Tensor& step_like = {})
      : overlap_(options, step_like), carried_(copied(start)) {}
  TruncatedBptt(const TruncatedBptt&) = delete;
  TruncatedBptt& operator=(const TruncatedBptt&) = delete;

  /// Continues with the chunk `x`: for each group of k1 steps, runs the window, computes the loss
  /// of the outputs of the new steps, `loss(y, steps) -> Tensor` (a single number), accumulates its
  /// gradient in the parameters, and calls `update(loss)`, which usually calls the optimiser's
  /// step() and zero_grad(); without zero_grad(), gradients accumulate. An exception leaves the
  /// state at the beginning of its group.
  template <class Network, class Loss, class Update>
  void run(Network&& network, const Tensor& x, Loss&& loss, Update&& update) {
    const std::int64_t length = x.size(0);
    for (TimeSteps steps; steps.begin < length; steps.begin = steps.end) {
      steps.end = overlap_.end_of_group(steps.begin, length);
      run_window(network, steps.of(x), steps, loss, update);
    }
  }

  /// The state at which the next window begins: after the last step, or k2 - k1 steps earlier.
  const State& carried() const { return carried_; }
  /// Restarts with `start`. If k2 = k1, single sequences that have ended can be restarted with
  /// restart(reset_rows(carried(), ended, fresh)).
  void restart(const State& start) {
    carried_ = copied(start);
    overlap_.clear();
  }

  /// For checkpoints between chunks: the state that is carried on. Throws UsageError if its shape
  /// is not known yet (see the constructor).
  StateList state() {
    StateList list;
    const auto add = [&](const std::string& path, const Tensor& tensor) {
      list.push_back({path, tensor});
    };
    detail::walk_state(std::string("state"), carried_, add);
    overlap_.append_state(list);
    return list;
  }
  /// What a checkpoint says of it: see options_of().
  OptionList options() const {
    OptionList list{{"kind", "truncated_bptt"}};
    overlap_.append_options(list);
    return list;
  }

 private:
  /// A copy of the values, because restoring a checkpoint overwrites them.
  static State copied(State state) {
    for_each_tensor(state, [](Tensor& tensor) { tensor = detail::copy_of(tensor); });
    return state;
  }

  template <class Network, class Loss, class Update>
  void run_window(Network& network, const Tensor& fresh, const TimeSteps& steps, Loss& loss,
                  Update& update) {
    const Tensor window = overlap_.window(fresh);
    const std::int64_t length = window.size(0);
    // The next window begins here, so the state at this step is needed too.
    const std::int64_t cut = length - overlap_.kept_after(fresh.size(0));
    Tape tape;
    State state = carried_;
    TensorList outputs;
    const auto run_steps = [&](std::int64_t begin, std::int64_t end) {
      if (begin < end) {
        auto [y, after] = network(TimeSteps{begin, end}.of(window), std::move(state));
        outputs.push_back(std::move(y));
        state = std::move(after);
      }
    };
    run_steps(0, cut);
    State next = copied(detach(state));
    run_steps(cut, length);
    const Tensor y = concat(std::span<const Tensor>(outputs), 0);
    const Tensor value = loss(slice(y, 0, length - fresh.size(0), length), steps);
    tape.backward(value);
    carried_ = std::move(next);
    overlap_.keep(window);
    update(value);
  }

  detail::OverlapInput overlap_;
  State carried_;
};

/// Truncation inside one run: accumulates the gradient of sum_t loss_t in the parameters, where the
/// loss of step t reaches no further back than the state after step t - window, which is treated as
/// a constant, like `start`. With window >= T it is the full gradient. Returns the sum and the
/// state after the last step. Throws UsageError for a window or an x of no steps.
///
/// `loss(y, steps)` returns the loss of one step, a single number, from its outputs y [1, ...].
/// Costs about `window` times as much as a full backward pass; a TruncatedBptt with k1 > 1 costs
/// less.
template <class Network, class State, class Loss>
std::pair<Tensor, State> truncated_backward(Network&& network, const Tensor& x, const State& start,
                                            std::int64_t window, Loss&& loss) {
  detail::check_window(window, x);
  StateVector<State> states{detach(start)};
  Tensor total;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    const std::int64_t begin = std::max<std::int64_t>(0, t + 1 - window);
    Tape tape;
    auto [y, after] =
        network(TimeSteps{begin, t + 1}.of(x), states[static_cast<std::size_t>(begin)]);
    const Tensor value = loss(slice(y, 0, t - begin, t + 1 - begin), TimeSteps{t, t + 1});
    tape.backward(value);
    const Tensor constant = value.detach();
    total = total.defined() ? total + constant : constant;
    states.push_back(detach(std::move(after)));
  }
  return {std::move(total), std::move(states.back())};
}

}  // namespace rw
