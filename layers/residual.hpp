#pragma once

#include <rewind/layers/detail/run_layer.hpp>

namespace rw {

/// A recurrent layer whose input is added to its output, y = x + layer(x) (He et al. 2016), so that
/// deep stacks still train. Throws ShapeError where the sizes differ.
template <class L>
struct Residual {
  static_assert(
      SequenceLayer<L>,
      "Residual: the layer must be a SequenceLayer; a cell becomes one as Recurrent<Cell>");

  /// The layer's state. It does not contain the output, which includes x.
  struct State {
    typename detail::StateOf<L>::State layer;

    template <class Visit>
    void tensors(Visit&& visit) {
      visit("layer", layer);
    }
  };

  L layer;

  State initial_state(std::int64_t batch) const { return {layer.initial_state(batch)}; }
  std::int64_t output_size() const { return layer.output_size(); }

  /// From the initial state. An Rng, given in training, draws the layer's own dropout.
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
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layer", layer);
  }

 private:
  static constexpr const char* name = "residual";

  std::pair<Tensor, State> run(const Sequence& x, State state, OptionalRng rng) const {
    auto [y, last] = detail::run_layer(name, layer, x, std::move(state.layer), rng);
    return {detail::residual_sum(x, y), {std::move(last)}};
  }
};

}  // namespace rw
