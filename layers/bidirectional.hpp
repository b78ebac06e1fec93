#pragma once

#include <rewind/layers/merge.hpp>
#include <rewind/layers/recurrent.hpp>

namespace rw {

/// Two recurrent layers over the same sequence, one from each end (Schuster & Paliwal 1997): x [T,
/// B, input] -> y [T, B, output of forward + output of backward] when concatenated; otherwise both
/// outputs and y have the same size. With lengths, the backward layer starts at each sequence's own
/// last step (Note [Packed sequences], detail/packing.hpp).
template <class Forward, class Backward = Forward>
struct Bidirectional {
  static_assert(SequenceLayer<Forward> && SequenceLayer<Backward>,
                "Bidirectional: both layers must be SequenceLayers; a cell becomes one as "
                "Recurrent<Cell>");
  static_assert(
      requires(Backward & layer) { layer.direction = Direction::backward; },
      "Bidirectional: the second layer needs a member `Direction direction`, as Recurrent "
      "has");

  /// The states of both layers, each after its own last step.
  struct State {
    typename detail::StateOf<Forward>::State forward;
    typename detail::StateOf<Backward>::State backward;
    Merge merge = Merge::concat;  // as the outputs were

    template <class Visit>
    void tensors(Visit&& visit) {
      visit("forward", forward);
      visit("backward", backward);
    }
    /// The outputs of both halves after the whole sequence, merged (final_output).
    Tensor output() const {
      return merge_directions(merge, final_output(forward), final_output(backward));
    }
  };

  Forward forward;
  Backward backward;
  Merge merge = Merge::concat;

  Bidirectional() = default;
  /// Makes `second` run from the last step to the first. Throws UsageError if outputs of different
  /// sizes are to be merged element by element.
  Bidirectional(Forward first, Backward second, Merge how = Merge::concat)
      : forward(std::move(first)), backward(std::move(second)), merge(how) {
    backward.direction = Direction::backward;
    check<UsageError>(merge == Merge::concat || forward.output_size() == backward.output_size(),
                      "bidirectional: outputs of {} and {} features can only be concatenated",
                      forward.output_size(), backward.output_size());
  }

  State initial_state(std::int64_t batch) const {
    return {forward.initial_state(batch), backward.initial_state(batch), merge};
  }
  std::int64_t output_size() const {
    return forward.output_size() + (merge == Merge::concat ? backward.output_size() : 0);
  }

  /// From the initial state. An Rng, given in training, draws the dropout of both layers.
  std::pair<Tensor, State> operator()(const Sequence& x, OptionalRng rng = std::nullopt) const {
    return run(x, initial_state(detail::batch_of(name, x)), rng);
  }
  std::pair<Tensor, State> operator()(const Sequence& x, State state,
                                      OptionalRng rng = std::nullopt) const {
    return run(x, std::move(state), rng);
  }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", name);
    visit("merge", merge);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("forward", forward);
    visit("backward", backward);
  }

 private:
  static constexpr const char* name = "bidirectional";

  // Forward first, independent of the compiler's evaluation order: runs and draws have this order.
  std::pair<Tensor, State> run(const Sequence& x, State state, OptionalRng rng) const {
    auto ahead = detail::run_layer(name, forward, x, std::move(state.forward), rng);
    auto back = detail::run_layer(name, backward, x, std::move(state.backward), rng);
    return {merge_directions(merge, ahead.first, back.first),
            {std::move(ahead.second), std::move(back.second), merge}};
  }
};

}  // namespace rw
