#pragma once

#include <rewind/layers/recurrent_network.hpp>

namespace rw {

/// `layers`, `bidirectional` and `dropout` are for the ready-made LSTM; a cell by itself does not
/// read them.
struct LstmOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  std::int64_t layers = 1;
  bool bidirectional = false;
  double dropout = 0.0;
  bool bias = true;
  DType dtype = DType::float32;
};

/// Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gates (Gers et al. 2000).
///
///     [i f g o] = x W_x + b + h W_h
///     c' = sigmoid(f) c + sigmoid(i) tanh(g)
///     h' = sigmoid(o) tanh(c')
///
/// x [B, input], h and c [B, hidden], W_x [input, 4 hidden], W_h [hidden, 4 hidden], b [4 hidden],
/// gates in the order i, f, g, o. W_x starts Xavier-uniform, each gate of W_h orthogonal, b zero
/// but for the forget gate's part, which is 1 (Jozefowicz et al. 2015).
struct LstmCell {
  struct State {
    Tensor h, c;
    std::array<Tensor*, 2> tensors() { return {&h, &c}; }
  };
  using Options = LstmOptions;
  static constexpr const char* name = "lstm";

  Parameter w_x, w_h, bias;

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
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h);
    visit("bias", bias);
  }
};

/// Stacked, optionally bidirectional LSTM.
using LSTM = RecurrentNetwork<LstmCell>;

}  // namespace rw
