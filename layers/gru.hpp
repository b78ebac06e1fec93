#pragma once

#include <rewind/layers/activation.hpp>
#include <rewind/layers/recurrent_network.hpp>

namespace rw {

/// Where a GRU's reset gate acts: on the recurrent product (`after`, as in PyTorch and cuDNN) or on
/// the state before it (`before`, as in the paper).
enum class Reset { after, before };
constexpr const char* name_of(Reset reset) { return reset == Reset::after ? "after" : "before"; }

struct GruOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  bool bias = true;
  Reset reset = Reset::after;
  Activation activation = Activation::tanh;          // of the candidate n
  Activation gate_activation = Activation::sigmoid;  // of the gates r and z
  DType dtype = DType::float32;
};

/// Gated recurrent unit (Cho et al. 2014).
///
///     r = sigmoid(x W_r + b_r + h U_r),   z = sigmoid(x W_z + b_z + h U_z)
///     n = tanh(x W_n + b_n + r (h U_n + b_h))      reset after the product
///     n = tanh(x W_n + b_n + (r h) U_n)            reset before it
///     h' = (1 - z) n + z h
///
/// Options can replace tanh and sigmoid; the gates are then not computed in one fused pass with the
/// rest.
///
/// x [B, input], h [B, hidden], W_x = [W_r W_z W_n] [input, 3 hidden], W_h = [U_r U_z U_n] [hidden,
/// 3 hidden], bias [3 hidden], bias_h = b_h [hidden] (reset after only). W_x starts Xavier-uniform,
/// each gate of W_h orthogonal, the biases zero.
struct GruCell {
  using Options = GruOptions;
  using State = HiddenState;
  static constexpr const char* name = "gru";

  Parameter w_x, w_h, bias, bias_h;
  Reset reset = Reset::after;
  Activation activation = Activation::tanh;
  Activation gate_activation = Activation::sigmoid;

  GruCell() = default;
  GruCell(const Options& options, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const { return w_h.shape()[0]; }

  Tensor project(const Tensor& x) const;
  std::pair<Tensor, State> step(Tensor projected, const State& state) const;
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("reset", reset);
    visit("activation", activation);
    visit("gate_activation", gate_activation);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("bias", bias);
    visit("bias_h", bias_h);
  }

 private:
  bool is_usual() const {
    return activation == Activation::tanh && gate_activation == Activation::sigmoid;
  }
  Tensor reset_after(Tensor projected, const Tensor& h) const;
  Tensor reset_before(Tensor projected, const Tensor& h) const;
};

/// Stacked, optionally bidirectional GRU.
using GRU = RecurrentNetwork<GruCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<GruCell>;
extern template class RecurrentNetwork<GruCell>;

}  // namespace rw
