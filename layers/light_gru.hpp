#pragma once

#include <rewind/layers/cell_options.hpp>
#include <rewind/layers/recurrent_network.hpp>

namespace rw {

/// Light gated recurrent unit (Ravanelli et al., "Light gated recurrent units for speech
/// recognition", 2018), a GRU without reset gate and with a candidate that is not bounded.
///
///     z = sigmoid(x W_z + b_z + h U_z)
///     n = relu(x W_n + b_n + h U_n)
///     h' = (1 - z) n + z h
///
/// The paper also normalises x W_z and x W_n over the batch, which is left out here. As n has no
/// upper bound, h may grow over a long sequence: clip the gradients.
///
/// x [B, input], h [B, hidden], W_x = [W_z W_n] [input, 2 hidden], W_h = [U_z U_n] [hidden, 2
/// hidden], b = [b_z b_n] [2 hidden]. W_x starts Xavier-uniform, each half of W_h orthogonal, b
/// zero.
struct LightGruCell {
  using Options = CellOptions;
  using State = HiddenState;
  static constexpr const char* name = "light_gru";

  Parameter w_x, w_h, bias;

  LightGruCell() = default;
  LightGruCell(const Options& options, Rng& rng);

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
    visit("bias", bias);
  }
};

/// Stacked, optionally bidirectional light gated recurrent units.
using LightGRU = RecurrentNetwork<LightGruCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<LightGruCell>;
extern template class RecurrentNetwork<LightGruCell>;

}  // namespace rw
