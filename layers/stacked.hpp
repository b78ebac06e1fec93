#pragma once

#include <rewind/layers/detail/run_layer.hpp>
#include <rewind/layers/dropout.hpp>
#include <rewind/layers/merge.hpp>
#include <rewind/layers/recurrent.hpp>

namespace rw {

/// A stack of recurrent layers: the outputs of one are the inputs of the next.
///
///     Stacked net(Recurrent<MyCell>{...}, Bidirectional(Recurrent<LstmCell>{...},
///     Recurrent<LstmCell>{...}));
template <class... L>
struct Stacked {
  static_assert(
      (SequenceLayer<L> && ...),
      "Stacked: every layer must be a SequenceLayer; a cell becomes one as Recurrent<Cell>");

  using State = std::tuple<typename detail::StateOf<L>::State...>;

  std::tuple<L...> layers;

  Stacked() = default;
  explicit Stacked(L... each) : layers(std::move(each)...) {}

  State initial_state(std::int64_t batch) const {
    return std::apply([&](const L&... layer) { return State{layer.initial_state(batch)...}; },
                      layers);
  }
  std::int64_t output_size() const { return std::get<sizeof...(L) - 1>(layers).output_size(); }

  /// From the initial state. An Rng, in training, draws the layers' own dropout.
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
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (visit(std::to_string(I), std::get<I>(layers)), ...);
    }
    (std::index_sequence_for<L...>{});
  }

 private:
  static constexpr const char* name = "stacked";

  std::pair<Tensor, State> run(const Sequence& x, State state, OptionalRng rng) const {
    Tensor y = x.steps;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((std::tie(y, std::get<I>(state)) = detail::run_layer(name, std::get<I>(layers), x.with(y),
                                                            std::move(std::get<I>(state)), rng)),
       ...);
    }
    (std::index_sequence_for<L...>{});
    return {std::move(y), std::move(state)};
  }
};

/// The states of a stack of equal layers, layer by layer, with the information that final_output
/// and the names in a checkpoint need. In a bidirectional RecurrentNetwork each layer has two
/// states, forward before backward.
template <class Each>
struct LayerStates : StateVector<Each> {
  using StateVector<Each>::StateVector;
  LayerStates() = default;
  explicit(false) LayerStates(StateVector<Each> states) : StateVector<Each>(std::move(states)) {}

  bool bidirectional = false;
  Merge merge = Merge::concat;
  /// Whether the last layer adds its input to its output.
  bool residual = false;

  /// Layer by layer: "0", or "0/forward" and "0/backward".
  template <class Visit>
  void tensors(Visit&& visit) {
    for (std::size_t i = 0; i < this->size(); ++i) {
      const std::string layer = std::to_string(bidirectional ? i / 2 : i);
      visit(!bidirectional ? layer : layer + (i % 2 == 0 ? "/forward" : "/backward"), (*this)[i]);
    }
  }
  /// See final_output. Throws UsageError for a residual network, whose output is not in its state.
  Tensor output() const {
    const std::size_t halves = bidirectional ? 2 : 1;
    check<UsageError>(this->size() >= halves, "final_output: got {} states, expected at least {}",
                      this->size(), halves);
    check<UsageError>(!residual,
                      "final_output: the last layer adds its input to its output (residual), so "
                      "that the state does not hold the output; take it from the outputs y of all "
                      "steps: last_step(y), and of a concatenated backward half the first step");
    const Tensor last = final_output(this->back());
    return bidirectional ? merge_directions(merge, final_output((*this)[this->size() - 2]), last)
                         : last;
  }
};

/// The same for a number of equal layers known at run time.
template <class L>
struct Stacked<std::vector<L>> {
  static_assert(
      SequenceLayer<L>,
      "Stacked: the layer must be a SequenceLayer; a cell becomes one as Recurrent<Cell>");

  using State = LayerStates<typename detail::StateOf<L>::State>;

  std::vector<L> layers;
  /// Dropout between layers (not after the last) if an Rng is given, and whether it uses one mask
  /// for all time steps (variational dropout, Gal & Ghahramani 2016). With a single layer,
  /// dropout_between is a UsageError.
  double dropout_between = 0.0;
  bool same_over_time = false;
  /// Each layer except the first adds its input to its output, as Residual does.
  bool residual = false;

  State initial_state(std::int64_t batch) const {
    State state;
    state.reserve(layers.size());
    for (const L& layer : layers) {
      state.push_back(layer.initial_state(batch));
    }
    state.residual = residual && layers.size() > 1;
    return state;
  }
  std::int64_t output_size() const { return layers.back().output_size(); }

  /// From the initial state. An Rng, given in training, draws dropout between layers, and the
  /// layers' own.
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
    visit("dropout_between", dropout_between);
    visit("same_over_time", same_over_time);
    visit("residual", residual);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layers", layers);
  }

 private:
  static constexpr const char* name = "stacked";

  std::pair<Tensor, State> run(const Sequence& x, State state, OptionalRng rng) const {
    check<UsageError>(state.size() == layers.size(), "{}: got {} states for {} layers", name,
                      state.size(), layers.size());
    detail::check_dropout_between(name, dropout_between, layers.size());
    state.bidirectional = false;  // the state may be another network's
    state.residual = residual && layers.size() > 1;
    Tensor y = x.steps;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (i > 0 && rng) {
        y = same_over_time ? variational_dropout(y, dropout_between, *rng)
                           : dropout(y, dropout_between, *rng);
      }
      const Sequence in = x.with(y);
      std::tie(y, state[i]) = detail::run_layer(name, layers[i], in, std::move(state[i]), rng);
      if (i > 0 && residual) {
        y = detail::residual_sum(in, y);
      }
    }
    return {std::move(y), std::move(state)};
  }
};

}  // namespace rw
