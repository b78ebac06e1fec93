#pragma once

#include <rewind/layers/activation.hpp>
#include <rewind/layers/recurrent_network.hpp>

namespace rw {

struct LstmOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  bool bias = true;
  Activation activation = Activation::tanh;          // of the candidate and of the cell state
  Activation gate_activation = Activation::sigmoid;  // of the gates
  DType dtype = DType::float32;
};

/// Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gates (Gers et al. 2000).
///
///     [i f g o] = x W_x + b + h W_h
///     c' = sigmoid(f) c + sigmoid(i) tanh(g)
///     h' = sigmoid(o) tanh(c')
///
/// Options can replace tanh and sigmoid; the gates are then not computed in one fused pass with the
/// rest.
///
/// x [B, input], h and c [B, hidden], W_x [input, 4 hidden], W_h [hidden, 4 hidden], b [4 hidden],
/// gates in the order i, f, g, o. W_x starts Xavier-uniform, each gate of W_h orthogonal, b zero
/// except for the forget gate's part, which is 1 (Jozefowicz et al. 2015).
struct LstmCell {
  struct State {
    Tensor h, c;

    template <class Visit>
    void tensors(Visit&& visit) {
      visit("h", h);
      visit("c", c);
    }
    const Tensor& output() const { return h; }
  };
  using Options = LstmOptions;
  static constexpr const char* name = "lstm";

  Parameter w_x, w_h, bias;
  Activation activation = Activation::tanh;
  Activation gate_activation = Activation::sigmoid;

  LstmCell() = default;
  LstmCell(const Options& options, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const { return w_h.shape()[0]; }

  Tensor project(const Tensor& x) const;
  std::pair<Tensor, State> step(Tensor projected, const State& state) const;
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("activation", activation);
    visit("gate_activation", gate_activation);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("bias", bias);
  }

 private:
  std::pair<Tensor, State> activated(const Tensor& z, const Tensor& c) const;
};

/// The formula of LstmCell alone: the step from z = [i f g o] [B, 4 hidden].
struct LstmGates {
  using State = LstmCell::State;
  static constexpr const char* name = LstmCell::name;
  static constexpr std::array<double, 4> bias = {0, 1, 0, 0};  // initial bias of each gate

  static std::pair<Tensor, State> step(const Tensor& z, const State& state);
};

/// Stacked, optionally bidirectional LSTM.
using LSTM = RecurrentNetwork<LstmCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<LstmCell>;
extern template class RecurrentNetwork<LstmCell>;

}  // namespace rw
