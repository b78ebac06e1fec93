#pragma once

#include <rewind/layers/activation.hpp>
#include <rewind/layers/recurrent_network.hpp>

namespace rw {

struct ElmanOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  std::int64_t output = 0;
  bool bias = true;
  Activation activation = Activation::tanh;
  Activation output_activation = Activation::identity;
  DType dtype = DType::float32;
};

/// Elman's recurrent cell with a separate output path (Elman 1990): s' = f(x, s), o = g(x, s').
///
///     [z v] = x W_x + b
///     s' = a(z + s W_h)
///     o = a_o(v + s' W_o)
///
/// x [B, input], s [B, hidden], o [B, output], W_x [input, hidden + output], W_h [hidden, hidden],
/// W_o [hidden, output], b [hidden + output]; a is `activation`, a_o `output_activation`. W_x and
/// W_o start Xavier-uniform, W_h orthogonal, b zero. RnnCell is the cell whose output is its state.
/// Throws UsageError for fewer than one output.
struct ElmanCell {
  using Options = ElmanOptions;
  /// Does not contain the output, so final_output does not compile; use last_step(y).
  struct State {
    Tensor h;

    template <class Visit>
    void tensors(Visit&& visit) {
      visit("h", h);
    }
  };
  static constexpr const char* name = "elman";

  Parameter w_x, w_h, w_o, bias;
  Activation activation = Activation::tanh;
  Activation output_activation = Activation::identity;

  ElmanCell() = default;
  ElmanCell(const Options& options, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const { return w_o.shape()[1]; }

  Tensor project(const Tensor& x) const;
  std::pair<Tensor, State> step(Tensor projected, const State& state) const;
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("activation", activation);
    visit("output_activation", output_activation);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("w_o", w_o);
    visit("bias", bias);
  }
};

/// Stacked, optionally bidirectional Elman network with separate outputs.
using ElmanRNN = RecurrentNetwork<ElmanCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<ElmanCell>;
extern template class RecurrentNetwork<ElmanCell>;

}  // namespace rw
