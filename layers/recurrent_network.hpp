#pragma once

#include <variant>

#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/cell_options.hpp>
#include <rewind/layers/stacked.hpp>

namespace rw {

/// How a ready-made network is built from its cells.
struct NetworkOptions {
  std::int64_t layers = 1;
  bool bidirectional = false;
  /// Dropout of the outputs between layers; needs at least two layers.
  double dropout = 0.0;
  /// How the outputs of the two directions are combined.
  Merge merge = Merge::concat;
  /// Each layer except the first adds its input to its output.
  bool residual = false;
  /// The initial state of each layer is learned, the same for all sequences.
  bool learned_state = false;
  /// `dropout` uses one mask for all time steps (variational).
  bool same_dropout_over_time = false;
  /// Variational dropout of the network's input.
  double input_dropout = 0.0;
  /// Dropout of states and weights, and zoneout, in every layer.
  RecurrentDropout recurrent_dropout = {};
};

namespace detail {

template <class C>
struct OptionsOf {
  using Options = CellOptions;
};
template <class C>
requires requires { typename C::Options; }
struct OptionsOf<C> {
  using Options = typename C::Options;
};

/// Says in one sentence what keeps a cell from being stacked by its options.
template <class C>
struct CheckedNetworkCell : CheckedCell<C> {
  static_assert(
      requires(typename OptionsOf<C>::Options options, Rng& rng) {
        typename C::Options;
        { options.input } -> std::convertible_to<std::int64_t>;
        { options.hidden } -> std::convertible_to<std::int64_t>;
        C(options, rng);
      },
      "network: the cell needs a struct `Options` with `std::int64_t input` and `hidden`, and a "
      "constructor `Cell(const Options& options, Rng& rng)`, by which each layer is made");
};

}  // namespace detail

/// A ready-made stack of equal cells, unidirectional or bidirectional: RNN, LSTM and GRU are such
/// networks. Your own cell can be stacked too, if it is made from `Options` with `input` and
/// `hidden`.
///
/// The first options configure each cell, the second how many cells there are and what is between
/// them. x [T, B, input] -> y [T, B, output] with the cell's output size, usually `hidden`, or [T,
/// B, 2 output] when bidirectional and concatenated. x is a tensor or a Sequence with lengths.
/// States are listed layer by layer, forward before backward; final_output(state) is the output of
/// the last layer after the last step.
///
///     LSTM lstm({.input = 8, .hidden = 32}, {.layers = 2, .residual = true}, rng);
template <class C>
class RecurrentNetwork {
  static_assert(sizeof(detail::CheckedNetworkCell<C>) > 0);

 public:
  using Options = typename detail::OptionsOf<C>::Options;
  using State = LayerStates<typename detail::StateOf<C>::State>;

  RecurrentNetwork() = default;
  RecurrentNetwork(const Options& cell, Rng& rng) : RecurrentNetwork(cell, {}, rng) {}
  RecurrentNetwork(const Options& cell, const NetworkOptions& network, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const;

  /// From the initial state. An Rng, given in training, draws all dropout.
  std::pair<Tensor, State> operator()(const Sequence& x, OptionalRng rng = std::nullopt) const {
    return run(x, initial_state(detail::batch_of(name, x)), rng);
  }
  /// From `state`.
  std::pair<Tensor, State> operator()(const Sequence& x, State state,
                                      OptionalRng rng = std::nullopt) const {
    return run(x, std::move(state), rng);
  }

  template <class Visit>
  void options(Visit&& visit) const {
    std::visit([&](const auto& net) { net.options(visit); }, network_);
    visit("input_dropout", input_dropout_);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    std::visit([&](auto& net) { net.parameters(visit); }, network_);
  }

 private:
  static constexpr const char* name = detail::name_of_cell<C>();

  using OneWay = Stacked<std::vector<Recurrent<C>>>;
  using BothWays = Stacked<std::vector<Bidirectional<Recurrent<C>>>>;

  void check_not_empty() const {
    check<UsageError>(std::visit([](const auto& net) { return !net.layers.empty(); }, network_),
                      "{}: it has no layers; it was default-constructed or moved from", name);
  }
  static void check_probability(const char* what, double p) {
    check<UsageError>(p >= 0.0 && p <= 1.0, "{}: got {} {}, expected 0 to 1", name, what, p);
  }
  static Recurrent<C> layer_of(const Options& cell, const NetworkOptions& network, Rng& rng) {
    Recurrent<C> layer{.cell = C(cell, rng), .dropout = network.recurrent_dropout};
    if (network.learned_state) {
      layer.learn_initial_state();
    }
    return layer;
  }

  std::pair<Tensor, State> run(const Sequence& input, State state, OptionalRng rng) const;

  static State flat(State state) { return state; }
  static State flat(typename BothWays::State layers) {
    State state;
    state.reserve(2 * layers.size());
    for (auto& layer : layers) {
      state.push_back(std::move(layer.forward));
      state.push_back(std::move(layer.backward));
      state.merge = layer.merge;
    }
    state.bidirectional = true;
    state.residual = layers.residual;
    return state;
  }

  template <class Net>
  static typename Net::State nested(State state) {
    if constexpr (std::same_as<Net, OneWay>) {
      return state;
    } else {
      typename Net::State layers;
      layers.reserve(state.size() / 2);
      for (std::size_t i = 0; i < state.size(); i += 2) {
        layers.push_back({std::move(state[i]), std::move(state[i + 1])});
      }
      return layers;
    }
  }

  std::variant<OneWay, BothWays> network_;
  double input_dropout_ = 0.0;
};

template <class C>
RecurrentNetwork<C>::RecurrentNetwork(const Options& cell, const NetworkOptions& network, Rng& rng)
    : input_dropout_(network.input_dropout) {
  check<UsageError>(cell.input > 0 && cell.hidden > 0 && network.layers > 0,
                    "{}: got input {}, hidden {}, layers {}; each must be at least 1", name,
                    cell.input, cell.hidden, network.layers);
  check_probability("dropout", network.dropout);
  detail::check_dropout_between(name, network.dropout, static_cast<std::size_t>(network.layers));
  check_probability("input_dropout", network.input_dropout);
  detail::check_probabilities(network.recurrent_dropout);
  OneWay one_way;
  BothWays both_ways;
  one_way.dropout_between = both_ways.dropout_between = network.dropout;
  one_way.same_over_time = both_ways.same_over_time = network.same_dropout_over_time;
  one_way.residual = both_ways.residual = network.residual;
  Options each = cell;
  for (std::int64_t i = 0; i < network.layers; ++i) {
    Recurrent<C> forward = layer_of(each, network, rng);
    if (network.bidirectional) {
      both_ways.layers.emplace_back(std::move(forward), layer_of(each, network, rng),
                                    network.merge);
      each.input = both_ways.layers.back().output_size();
    } else {
      one_way.layers.push_back(std::move(forward));
      each.input = one_way.layers.back().output_size();
    }
  }
  if (network.bidirectional) {
    network_ = std::move(both_ways);
  } else {
    network_ = std::move(one_way);
  }
}

template <class C>
auto RecurrentNetwork<C>::initial_state(std::int64_t batch) const -> State {
  check_not_empty();
  return std::visit([&](const auto& net) { return flat(net.initial_state(batch)); }, network_);
}

template <class C>
std::int64_t RecurrentNetwork<C>::output_size() const {
  check_not_empty();
  return std::visit([](const auto& net) { return net.output_size(); }, network_);
}

template <class C>
auto RecurrentNetwork<C>::run(const Sequence& input, State state, OptionalRng rng) const
    -> std::pair<Tensor, State> {
  check_not_empty();
  const Sequence x =
      rng ? input.with(variational_dropout(input.steps, input_dropout_, *rng)) : input;
  return std::visit(
      [&](const auto& net) -> std::pair<Tensor, State> {
        using Net = std::remove_cvref_t<decltype(net)>;
        const std::size_t directions = std::same_as<Net, OneWay> ? 1 : 2;
        check<UsageError>(state.size() == directions * net.layers.size(),
                          "{}: got {} states, expected {} ({} layers, {} directions)", name,
                          state.size(), directions * net.layers.size(), net.layers.size(),
                          directions);
        auto [y, last] = detail::run_layer(name, net, x, nested<Net>(std::move(state)), rng);
        return {std::move(y), flat(std::move(last))};
      },
      network_);
}

}  // namespace rw
