#pragma once

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/layers/activation.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/fully_connected.hpp>
#include <rewind/layers/lstm.hpp>

namespace rw {

/// h' = A(z): the formula of RnnCell alone.
template <Activation A = Activation::tanh>
struct ElmanGates {
  using State = HiddenState;
  static constexpr const char* name = "elman";
  static constexpr std::array<double, 1> bias = {0};

  static std::pair<Tensor, State> step(const Tensor& z, const State&) {
    const Tensor h = activate(A, z);
    return {h, {h}};
  }

  template <class Visit>
  static void options(Visit&& visit) {
    visit("activation", A);
  }
};

/// A cell with networks instead of affine maps: z = F(x) + G(h), {y, state'} = Gates::step(z,
/// state); other cells have z = x W_x + b + h W_h (Pascanu et al. 2014, deep transition).
///
/// F and G are any layers on the last axis, such as FullyConnected or Linear: F maps `input`
/// features and G `hidden` features to n hidden, with the n gates of ElmanGates, LstmGates,
/// NoForgetGates, CoupledGates or your own. F runs once over the whole sequence. Biases are left to
/// the networks, so a forget gate starts half open. Throws ShapeError when a network returns
/// another number of features.
template <class Gates, class F = FullyConnected, class G = F>
struct NetworkCell {
  using State = typename Gates::State;
  static constexpr const char* name = "network_cell";
  static constexpr auto gates = static_cast<std::int64_t>(Gates::bias.size());

  /// The input, output and dtype of the two networks are filled in.
  struct Options {
    std::int64_t input = 0;
    std::int64_t hidden = 0;
    typename F::Options input_network = {};
    typename G::Options state_network = {};
    DType dtype = DType::float32;
  };

  F input_network;
  G state_network;
  std::int64_t hidden = 0;
  DType dtype = DType::float32;

  NetworkCell() = default;
  NetworkCell(const Options& options, Rng& rng)
      : input_network(sized(options.input_network, options.input, options), rng),
        state_network(sized(options.state_network, options.hidden, options), rng),
        hidden(options.hidden),
        dtype(options.dtype) {}
  /// From existing networks.
  NetworkCell(F of_input, G of_state, std::int64_t hidden_features, DType type = DType::float32)
      : input_network(std::move(of_input)),
        state_network(std::move(of_state)),
        hidden(hidden_features),
        dtype(type) {}

  State initial_state(std::int64_t batch) const {
    State state;
    const Tensor zero = zeros({batch, hidden}, dtype);
    for_each_tensor(state, [&](Tensor& tensor) { tensor = zero; });
    return state;
  }
  std::int64_t output_size() const { return hidden; }

  Tensor project(const Tensor& x) const { return checked("input_network", input_network(x)); }
  std::pair<Tensor, State> step(const Tensor& projected, const State& state) const {
    State same = state;
    detail::walk_state(std::string(), same, [&](const std::string& part, const Tensor& tensor) {
      check_state(name, part.c_str(), tensor, projected.size(0), hidden);
    });
    return Gates::step(projected + checked("state_network", state_network(state.h)), state);
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void options(Visit&& visit) const {
    if constexpr (requires { Gates::name; }) {
      visit("gates", Gates::name);
    }
    if constexpr (requires { Gates::options(visit); }) {
      Gates::options(visit);
    }
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("input_network", input_network);
    visit("state_network", state_network, ParameterRole::recurrent);
  }

 private:
  template <class NetworkOptions>
  static NetworkOptions sized(NetworkOptions network, std::int64_t input, const Options& options) {
    network.input = input;
    network.output = gates * options.hidden;
    network.dtype = options.dtype;
    return network;
  }
  Tensor checked(const char* which, Tensor z) const {
    check_shape(z.columns() == gates * hidden,
                "{}: {} gives {} features, expected {} ({} gates of {})", name, which, z.columns(),
                gates * hidden, gates, hidden);
    return z;
  }
};

/// Stacked, optionally bidirectional networks of such cells.
template <class F = FullyConnected, class G = F>
using NetworkRNN = RecurrentNetwork<NetworkCell<ElmanGates<>, F, G>>;
template <class F = FullyConnected, class G = F>
using NetworkLSTM = RecurrentNetwork<NetworkCell<LstmGates, F, G>>;

}  // namespace rw
