#pragma once

#include <rewind/layers/gated_lstm.hpp>

namespace rw {

struct ProjectedLstmOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  std::int64_t projection = 0;
  bool bias = true;
  DType dtype = DType::float32;
};

/// LSTM with a recurrent projection (Sak et al. 2014), PyTorch's `proj_size`: many cells, but few
/// output features.
///
///     [i f g o] = x W_x + b + h W_h
///     c' = sigmoid(f) c + sigmoid(i) tanh(g)
///     h' = (sigmoid(o) tanh(c')) W_r
///
/// h [B, projection], c [B, hidden], W_h [projection, 4 hidden], W_r [hidden, projection]; the
/// output has `projection` features. Each gate of W_h starts with orthonormal rows or columns, W_r
/// Xavier-uniform; everything else is as in LstmCell. Throws UsageError for a projection below 1.
struct ProjectedLstmCell {
  using Options = ProjectedLstmOptions;
  using State = LstmCell::State;
  static constexpr const char* name = "projected_lstm";

  Parameter w_x, w_h, w_r, bias;

  ProjectedLstmCell() = default;
  ProjectedLstmCell(const Options& options, Rng& rng);

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const { return w_r.shape()[1]; }

  Tensor project(const Tensor& x) const;
  std::pair<Tensor, State> step(Tensor projected, const State& state) const;
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return step(project(x), state);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);
    visit("w_r", w_r);
    visit("bias", bias);
  }
};

/// Stacked, optionally bidirectional LSTM with projection.
using ProjectedLSTM = RecurrentNetwork<ProjectedLstmCell>;

// Compiled once, with the cell's own functions.
extern template struct Recurrent<ProjectedLstmCell>;
extern template class RecurrentNetwork<ProjectedLstmCell>;

}  // namespace rw
