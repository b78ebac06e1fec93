#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/standardize.hpp>
#include <rewind/layers/layer_norm_lstm.hpp>

namespace rw {
namespace {

Operand or_zero(const Parameter& bias) { return bias.defined() ? Operand(bias) : Operand(0.0); }

}  // namespace

LayerNormLstmCell::LayerNormLstmCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, 4 * options.hidden}, rng, options.dtype)),
      w_h(orthogonal_gates(options.hidden, 4, rng, options.dtype)),
      gain_x(ones({4 * options.hidden}, options.dtype)),
      gain_h(ones({4 * options.hidden}, options.dtype)),
      gain_c(ones({options.hidden}, options.dtype)),
      epsilon(options.epsilon) {
  check<UsageError>(epsilon > 0, "{}: epsilon is {}, expected more than 0", name, epsilon);
  if (options.bias) {
    bias = Parameter(gate_bias(options.hidden, LstmGates::bias, options.dtype));
    bias_c = Parameter(zeros({options.hidden}, options.dtype));
  }
}

LayerNormLstmCell::State LayerNormLstmCell::initial_state(std::int64_t batch) const {
  const Tensor zero = zeros({batch, output_size()}, w_h.dtype());
  return {zero, zero};
}

Tensor LayerNormLstmCell::project(const Tensor& x) const {
  return fuse(
      "layer_norm", [](auto v, auto k, auto b) { return v * k + b; },
      standardize(affine(name, x, w_x, Parameter()), epsilon), gain_x, or_zero(bias));
}

std::pair<Tensor, LayerNormLstmCell::State> LayerNormLstmCell::step(const Tensor& projected,
                                                                    const State& state) const {
  check_state({name, w_h}, "h", state.h, projected.size(0), output_size());
  check_state({name, w_h}, "c", state.c, projected.size(0), output_size());
  const auto [xi, xf, xg, xo] = split<4>(projected);
  const auto [hi, hf, hg, ho] = split<4>(standardize(matmul(state.h, w_h), epsilon));
  const auto [ki, kf, kg, ko] = split<4>(gain_h);
  const Tensor c = fuse(
      "layer_norm_cell_state",
      [](auto xi_, auto xf_, auto xg_, auto hi_, auto hf_, auto hg_, auto ki_, auto kf_, auto kg_,
         auto c_) {
        return sigmoid(xf_ + kf_ * hf_) * c_ + sigmoid(xi_ + ki_ * hi_) * tanh(xg_ + kg_ * hg_);
      },
      xi, xf, xg, hi, hf, hg, ki, kf, kg, state.c);
  const Tensor h = fuse(
      "layer_norm_output",
      [](auto xo_, auto ho_, auto ko_, auto c_, auto k_, auto b_) {
        return sigmoid(xo_ + ko_ * ho_) * tanh(k_ * c_ + b_);
      },
      xo, ho, ko, standardize(c, epsilon), gain_c, or_zero(bias_c));
  return {h, {h, c}};
}

template struct Recurrent<LayerNormLstmCell>;
template class RecurrentNetwork<LayerNormLstmCell>;

}  // namespace rw
