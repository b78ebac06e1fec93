#pragma once

#include <rewind/layers/merge.hpp>
#include <rewind/layers/recurrent.hpp>

namespace rw {

/// Two recurrent layers over the same sequence, one from each end (Schuster & Paliwal 1997): x [T,
/// B, input] -> y [T, B, output of forward + output of backward] when concatenated; otherwise both
/// outputs have one size, which is y's. With lengths each sequence is read from its own last step.
template <class Forward, class Backward = Forward>
struct Bidirectional {
  using State = std::pair<typename Forward::State, typename Backward::State>;

  Forward forward;
  Backward backward;
  Merge merge = Merge::concat;

  Bidirectional() = default;
  /// Turns `second` round: it runs from the last step to the first. Throws UsageError where outputs
  /// of different sizes would have to be merged element by element.
  Bidirectional(Forward first, Backward second, Merge how = Merge::concat)
      : forward(std::move(first)), backward(std::move(second)), merge(how) {
    backward.direction = Direction::backward;
    check<UsageError>(merge == Merge::concat || forward.output_size() == backward.output_size(),
                      "bidirectional: outputs of {} and {} features can only be concatenated",
                      forward.output_size(), backward.output_size());
  }

  State initial_state(std::int64_t batch) const {
    return {forward.initial_state(batch), backward.initial_state(batch)};
  }
  std::int64_t output_size() const {
    return forward.output_size() + (merge == Merge::concat ? backward.output_size() : 0);
  }

  // Forward first, whatever order a compiler would choose: it is the order of runs and draws.
  std::pair<Tensor, State> operator()(const Sequence& x) const {
    auto ahead = forward(x);
    return merged(std::move(ahead), backward(x));
  }
  std::pair<Tensor, State> operator()(const Sequence& x, State state) const {
    auto ahead = forward(x, std::move(state.first));
    return merged(std::move(ahead), backward(x, std::move(state.second)));
  }
  /// Training: with the dropout of the two.
  std::pair<Tensor, State> operator()(const Sequence& x, Rng& rng) const {
    auto ahead = forward(x, rng);
    return merged(std::move(ahead), backward(x, rng));
  }
  std::pair<Tensor, State> operator()(const Sequence& x, State state, Rng& rng) const {
    auto ahead = forward(x, std::move(state.first), rng);
    return merged(std::move(ahead), backward(x, std::move(state.second), rng));
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("forward", forward);
    visit("backward", backward);
  }

 private:
  std::pair<Tensor, State> merged(std::pair<Tensor, typename Forward::State> ahead,
                                  std::pair<Tensor, typename Backward::State> back) const {
    return {merge_directions(merge, ahead.first, back.first),
            {std::move(ahead.second), std::move(back.second)}};
  }
};

}  // namespace rw
