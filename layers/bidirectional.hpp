#pragma once

#include <rewind/autograd/movement.hpp>
#include <rewind/layers/recurrent.hpp>

namespace rw {

/// Two recurrent layers over the same sequence, one from each end; their outputs are concatenated
/// (Schuster & Paliwal 1997): x [T, B, input] -> y [T, B, output of forward + output of backward].
template <class Forward, class Backward = Forward>
struct Bidirectional {
  using State = std::pair<typename Forward::State, typename Backward::State>;

  Forward forward;
  Backward backward;

  Bidirectional() = default;
  /// Turns `second` round: it runs from the last step to the first.
  Bidirectional(Forward first, Backward second)
      : forward(std::move(first)), backward(std::move(second)) {
    backward.direction = Direction::backward;
  }

  State initial_state(std::int64_t batch) const {
    return {forward.initial_state(batch), backward.initial_state(batch)};
  }
  std::int64_t output_size() const { return forward.output_size() + backward.output_size(); }

  std::pair<Tensor, State> operator()(const Tensor& x) const {
    auto [ahead, first] = forward(x);
    auto [back, second] = backward(x);
    return {concat({ahead, back}, -1), {std::move(first), std::move(second)}};
  }

  std::pair<Tensor, State> operator()(const Tensor& x, State state) const {
    auto [ahead, first] = forward(x, std::move(state.first));
    auto [back, second] = backward(x, std::move(state.second));
    return {concat({ahead, back}, -1), {std::move(first), std::move(second)}};
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("forward", forward);
    visit("backward", backward);
  }
};

}  // namespace rw
