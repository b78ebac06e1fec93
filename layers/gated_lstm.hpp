#pragma once

#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/cell_options.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/lstm.hpp>

namespace rw {

/// An LSTM with another gate formula: z = x W_x + b + h W_h, {h', {h', c'}} = Gates::step(z, {h,
/// c}).
///
/// With n gates z is [B, n hidden], W_x [input, n hidden], W_h [hidden, n hidden], b [n hidden].
/// W_x starts Xavier-uniform, each gate of W_h orthogonal, b as Gates::bias says, one number per
/// gate. To use your own formula, write a struct like NoForgetGates and CoupledGates.
template <class Gates>
struct GatedLstmCell {
  using Options = CellOptions;
  using State = LstmCell::State;
  static constexpr const char* name = Gates::name;

  Parameter w_x, w_h, bias;

  GatedLstmCell() = default;
  GatedLstmCell(const Options& options, Rng& rng) {
    constexpr auto gates = static_cast<int>(Gates::bias.size());
    w_x = Parameter(xavier_uniform({options.input, gates * options.hidden}, rng, options.dtype));
    w_h = Parameter(orthogonal_gates(options.hidden, gates, rng, options.dtype));
    if (options.bias) {
      bias = Parameter(gate_bias(options.hidden, Gates::bias, options.dtype));
    }
  }

  State initial_state(std::int64_t batch) const {
    const Tensor zero = zeros({batch, output_size()}, w_h.dtype());
    return {zero, zero};
  }
  std::int64_t output_size() const { return w_h.shape()[0]; }

  Tensor project(const Tensor& x) const { return affine(name, x, w_x, bias); }
  std::pair<Tensor, State> step(Tensor projected, const State& state) const {
    check_state({name, w_h}, "h", state.h, projected.size(0), output_size());
    check_state({name, w_h}, "c", state.c, projected.size(0), output_size());
    return Gates::step(addmm(std::move(projected), state.h, w_h), state);
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("bias", bias);
  }
};

/// The original LSTM without forget gate (Hochreiter & Schmidhuber 1997): z = [i g o],
///
///     c' = c + sigmoid(i) tanh(g),   h' = sigmoid(o) tanh(c')
struct NoForgetGates {
  using State = LstmCell::State;
  static constexpr const char* name = "no_forget_lstm";
  static constexpr std::array<double, 3> bias = {0, 0, 0};

  static std::pair<Tensor, State> step(const Tensor& z, const State& state);
};

/// Coupled input and forget gates, CIFG (Greff et al. 2017): new input replaces what is forgotten.
/// z = [i g o],
///
///     c' = (1 - sigmoid(i)) c + sigmoid(i) tanh(g),   h' = sigmoid(o) tanh(c')
///
/// The input gate's bias starts at -1, which corresponds to a forget gate's bias of 1.
struct CoupledGates {
  using State = LstmCell::State;
  static constexpr const char* name = "coupled_lstm";
  static constexpr std::array<double, 3> bias = {-1, 0, 0};

  static std::pair<Tensor, State> step(const Tensor& z, const State& state);
};

using NoForgetLstmCell = GatedLstmCell<NoForgetGates>;
using CoupledLstmCell = GatedLstmCell<CoupledGates>;

/// Stacked, optionally bidirectional networks of these cells.
using NoForgetLSTM = RecurrentNetwork<NoForgetLstmCell>;
using CoupledLSTM = RecurrentNetwork<CoupledLstmCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<NoForgetLstmCell>;
extern template class RecurrentNetwork<NoForgetLstmCell>;
extern template struct Recurrent<CoupledLstmCell>;
extern template class RecurrentNetwork<CoupledLstmCell>;

}  // namespace rw
