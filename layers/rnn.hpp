#pragma once

#include <rewind/layers/activation.hpp>
#include <rewind/layers/recurrent_network.hpp>

namespace rw {

/// Initial value of the recurrent matrix of an Elman network.
enum class RecurrentStart { orthogonal, identity };

struct RnnOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  bool bias = true;
  Activation activation = Activation::tanh;
  RecurrentStart start = RecurrentStart::orthogonal;
  DType dtype = DType::float32;
};

/// Options of an IRNN (Le et al. 2015): relu, and a recurrent matrix that starts as the identity,
/// so that the state initially persists.
RnnOptions irnn(RnnOptions options);

/// Elman's recurrent cell (Elman 1990): h' = a(x W_x + b + h W_h) with the activation a, tanh by
/// default.
///
/// x [B, input], h [B, hidden], W_x [input, hidden], W_h [hidden, hidden], b [hidden]. W_x starts
/// Xavier-uniform, W_h orthogonal, b zero. With RecurrentStart::identity, as in an IRNN, W_h starts
/// as the identity and W_x normal with standard deviation 0.001.
struct RnnCell {
  using Options = RnnOptions;
  using State = HiddenState;
  static constexpr const char* name = "rnn";

  Parameter w_x, w_h, bias;
  Activation activation = Activation::tanh;

  RnnCell() = default;
  RnnCell(const Options& options, Rng& rng);

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
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("bias", bias);
  }
};

/// Stacked, optionally bidirectional Elman network.
using RNN = RecurrentNetwork<RnnCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<RnnCell>;
extern template class RecurrentNetwork<RnnCell>;

}  // namespace rw
