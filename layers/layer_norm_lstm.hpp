#pragma once

#include <rewind/layers/gated_lstm.hpp>

namespace rw {

struct LayerNormLstmOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  bool bias = true;
  double epsilon = 1e-5;
  DType dtype = DType::float32;
};

/// Layer-normalised LSTM (Ba et al. 2016, equations 20 to 22 of the supplement).
///
///     [i f g o] = gain_x N(x W_x) + gain_h N(h W_h) + b
///     c' = sigmoid(f) c + sigmoid(i) tanh(g)
///     h' = sigmoid(o) tanh(gain_c N(c') + bias_c)
///
/// N normalises every row to mean 0 and variance 1 (standardize, with `epsilon`). gain_x, gain_h
/// and b [4 hidden], gain_c and bias_c [hidden]; b replaces the three biases of the paper, which
/// occur only as a sum. The gains start at 1, bias_c at 0; everything else is as in LstmCell.
struct LayerNormLstmCell {
  using Options = LayerNormLstmOptions;
  using State = LstmCell::State;
  static constexpr const char* name = "layer_norm_lstm";

  Parameter w_x, w_h, gain_x, gain_h, gain_c, bias, bias_c;
  double epsilon = 1e-5;

  LayerNormLstmCell() = default;
  LayerNormLstmCell(const Options& options, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const { return w_h.shape()[0]; }

  /// gain_x N(x W_x) + b.
  Tensor project(const Tensor& x) const;
  std::pair<Tensor, State> step(const Tensor& projected, const State& state) const;
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("epsilon", epsilon);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("gain_x", gain_x);
    visit("gain_h", gain_h);
    visit("gain_c", gain_c);
    visit("bias", bias);
    visit("bias_c", bias_c);
  }
};

/// Stacked, optionally bidirectional layer-normalised LSTM.
using LayerNormLSTM = RecurrentNetwork<LayerNormLstmCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<LayerNormLstmCell>;
extern template class RecurrentNetwork<LayerNormLstmCell>;

}  // namespace rw
