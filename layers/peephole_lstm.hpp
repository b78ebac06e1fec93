#pragma once

#include <rewind/layers/gated_lstm.hpp>

namespace rw {

/// LSTM whose gates see the cell state through peepholes (Gers & Schmidhuber 2000).
///
///     [i f g o] = x W_x + b + h W_h
///     c' = sigmoid(f + p_f c) c + sigmoid(i + p_i c) tanh(g)
///     h' = sigmoid(o + p_o c') tanh(c')
///
/// peephole = [p_i p_f p_o] [3 hidden] multiplies element by element and starts at zero, so that
/// training starts from the plain LSTM; everything else is as in LstmCell.
struct PeepholeLstmCell {
  using Options = CellOptions;
  using State = LstmCell::State;
  static constexpr const char* name = "peephole_lstm";

  Parameter w_x, w_h, peephole, bias;

  PeepholeLstmCell() = default;
  PeepholeLstmCell(const Options& options, Rng& rng);

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
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("peephole", peephole);
    visit("bias", bias);
  }
};

/// Stacked, optionally bidirectional LSTM with peepholes.
using PeepholeLSTM = RecurrentNetwork<PeepholeLstmCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<PeepholeLstmCell>;
extern template class RecurrentNetwork<PeepholeLstmCell>;

}  // namespace rw
