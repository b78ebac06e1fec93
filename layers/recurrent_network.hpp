#pragma once

#include <variant>

#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/stacked.hpp>

namespace rw {

/// Options of a cell that needs nothing more. `layers`, `bidirectional` and `dropout` are for the
/// ready-made networks; a cell by itself does not read them.
struct CellOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  std::int64_t layers = 1;
  bool bidirectional = false;
  double dropout = 0.0;
  bool bias = true;
  DType dtype = DType::float32;
};

/// How a ready-made network is put together, beside what its cell's options say.
struct NetworkOptions {
  /// What becomes of the outputs of the two directions.
  Merge merge = Merge::concat;
  /// Each layer but the first adds its input to its output.
  bool residual = false;
  /// The initial state of each layer is learned, the same for all sequences.
  bool learned_state = false;
  /// The cell options' dropout between layers keeps one mask for all time steps (variational).
  bool same_dropout_over_time = false;
  /// Variational dropout of the network's input.
  double input_dropout = 0.0;
  /// Of the states, weights and single steps of every layer.
  RecurrentDropout recurrent_dropout = {};
};

/// A ready-made stack of equal cells, one- or bidirectional, as most people want it: RNN, LSTM and
/// GRU are this.
///
/// Options beside the cell's own: `layers`, `bidirectional`, and `dropout` between layers, of which
/// there have to be two; more in NetworkOptions. x [T, B, input] -> y [T, B, output] with the
/// cell's output size, mostly `hidden`, or [T, B, 2 output] when bidirectional and concatenated. x
/// is a tensor or a Sequence with lengths. States are listed layer by layer, forward before
/// backward; final_output(state) is what the last layer has come to.
///
///     LSTM lstm({.input = 8, .hidden = 32, .layers = 2}, {.residual = true}, rng);
template <ProjectingCell C>
class RecurrentNetwork {
 public:
  using Options = typename C::Options;
  using State = LayerStates<typename C::State>;

  RecurrentNetwork() = default;
  RecurrentNetwork(const Options& options, Rng& rng) : RecurrentNetwork(options, {}, rng) {}
  RecurrentNetwork(const Options& options, const NetworkOptions& more, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const;

  /// From the initial state; no dropout.
  std::pair<Tensor, State> operator()(const Sequence& x) const {
    return run(x, initial_state(detail::batch_of(C::name, x)), nullptr);
  }
  /// From `state`; no dropout.
  std::pair<Tensor, State> operator()(const Sequence& x, State state) const {
    return run(x, std::move(state), nullptr);
  }
  /// Training: with all dropout there is, drawn from `rng`.
  std::pair<Tensor, State> operator()(const Sequence& x, State state, Rng& rng) const {
    return run(x, std::move(state), &rng);
  }
  std::pair<Tensor, State> operator()(const Sequence& x, Rng& rng) const {
    return run(x, initial_state(detail::batch_of(C::name, x)), &rng);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    std::visit([&](auto& net) { net.parameters(visit); }, network_);
  }

 private:
  using OneWay = Stacked<std::vector<Recurrent<C>>>;
  using BothWays = Stacked<std::vector<Bidirectional<Recurrent<C>>>>;

  void check_not_empty() const {
    check<UsageError>(std::visit([](const auto& net) { return !net.layers.empty(); }, network_),
                      "{}: it has no layers; it was default-constructed or moved from", C::name);
  }
  static void check_probability(const char* what, double p) {
    check<UsageError>(p >= 0.0 && p <= 1.0, "{}: got {} {}, expected 0 to 1", C::name, what, p);
  }
  static Recurrent<C> layer_of(const Options& options, const NetworkOptions& more, Rng& rng) {
    Recurrent<C> layer{.cell = C(options, rng), .dropout = more.recurrent_dropout};
    if (more.learned_state) {
      layer.learn_initial_state();
    }
    return layer;
  }

  std::pair<Tensor, State> run(const Sequence& input, State state, Rng* rng) const;

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

template <ProjectingCell C>
RecurrentNetwork<C>::RecurrentNetwork(const Options& options, const NetworkOptions& more, Rng& rng)
    : input_dropout_(more.input_dropout) {
  check<UsageError>(options.input > 0 && options.hidden > 0 && options.layers > 0,
                    "{}: got input {}, hidden {}, layers {}; each must be at least 1", C::name,
                    options.input, options.hidden, options.layers);
  check_probability("dropout", options.dropout);
  detail::check_dropout_between(C::name, options.dropout, static_cast<std::size_t>(options.layers));
  check_probability("input_dropout", more.input_dropout);
  detail::check_probabilities(more.recurrent_dropout);
  OneWay one_way;
  BothWays both_ways;
  one_way.dropout_between = both_ways.dropout_between = options.dropout;
  one_way.same_over_time = both_ways.same_over_time = more.same_dropout_over_time;
  one_way.residual = both_ways.residual = more.residual;
  Options each = options;
  for (std::int64_t i = 0; i < options.layers; ++i) {
    Recurrent<C> forward = layer_of(each, more, rng);
    if (options.bidirectional) {
      both_ways.layers.emplace_back(std::move(forward), layer_of(each, more, rng), more.merge);
      each.input = both_ways.layers.back().output_size();
    } else {
      one_way.layers.push_back(std::move(forward));
      each.input = one_way.layers.back().output_size();
    }
  }
  if (options.bidirectional) {
    network_ = std::move(both_ways);
  } else {
    network_ = std::move(one_way);
  }
}

template <ProjectingCell C>
auto RecurrentNetwork<C>::initial_state(std::int64_t batch) const -> State {
  check_not_empty();
  return std::visit([&](const auto& net) { return flat(net.initial_state(batch)); }, network_);
}

template <ProjectingCell C>
std::int64_t RecurrentNetwork<C>::output_size() const {
  check_not_empty();
  return std::visit([](const auto& net) { return net.output_size(); }, network_);
}

template <ProjectingCell C>
auto RecurrentNetwork<C>::run(const Sequence& input, State state, Rng* rng) const
    -> std::pair<Tensor, State> {
  check_not_empty();
  const Sequence x =
      rng == nullptr ? input : input.with(variational_dropout(input.steps, input_dropout_, *rng));
  return std::visit(
      [&](const auto& net) -> std::pair<Tensor, State> {
        using Net = std::remove_cvref_t<decltype(net)>;
        const std::size_t directions = std::same_as<Net, OneWay> ? 1 : 2;
        check<UsageError>(state.size() == directions * net.layers.size(),
                          "{}: got {} states, expected {} ({} layers, {} directions)", C::name,
                          state.size(), directions * net.layers.size(), net.layers.size(),
                          directions);
        auto [y, last] = detail::run_layer(C::name, net, x, nested<Net>(std::move(state)), rng);
        return {std::move(y), flat(std::move(last))};
      },
      network_);
}

}  // namespace rw
