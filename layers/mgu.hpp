#pragma once

#include <rewind/layers/cell_options.hpp>
#include <rewind/layers/recurrent_network.hpp>

namespace rw {

/// Minimal gated unit (Zhou et al. 2016), a GRU with a single gate instead of two.
///
///     f = sigmoid(x W_f + b_f + h U_f)
///     n = tanh(x W_n + b_n + (f h) U_n)
///     h' = (1 - f) h + f n
///
/// x [B, input], h [B, hidden], W_x = [W_f W_n] [input, 2 hidden], U_f and U_n [hidden, hidden], b
/// = [b_f b_n] [2 hidden]. W_x starts Xavier-uniform, U_f and U_n orthogonal, b zero.
struct MguCell {
  using Options = CellOptions;
  using State = HiddenState;
  static constexpr const char* name = "mgu";

  Parameter w_x, u_f, u_n, bias;

  MguCell() = default;
  MguCell(const Options& options, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const { return u_f.shape()[0]; }

  Tensor project(const Tensor& x) const;
  std::pair<Tensor, State> step(Tensor projected, const State& state) const;
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("u_f", u_f, ParameterRole::recurrent);
    visit("u_n", u_n, ParameterRole::recurrent);
    visit("bias", bias);
  }
};

/// Stacked, optionally bidirectional minimal gated units.
using MGU = RecurrentNetwork<MguCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<MguCell>;
extern template class RecurrentNetwork<MguCell>;

}  // namespace rw
