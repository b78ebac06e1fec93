#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/lstm.hpp>

namespace rw {

LstmCell::LstmCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, 4 * options.hidden}, rng, options.dtype)),
      w_h(orthogonal_gates(options.hidden, 4, rng, options.dtype)),
      activation(options.activation),
      gate_activation(options.gate_activation) {
  if (options.bias) {
    bias = Parameter(gate_bias(options.hidden, LstmGates::bias, options.dtype));
  }
}

LstmCell::State LstmCell::initial_state(std::int64_t batch) const {
  const Tensor zero = zeros({batch, output_size()}, w_h.dtype());
  return {zero, zero};
}

Tensor LstmCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, LstmCell::State> LstmCell::step(Tensor projected, const State& state) const {
  const std::int64_t batch = projected.size(0);
  check_state({name, w_h}, "h", state.h, batch, output_size());
  check_state({name, w_h}, "c", state.c, batch, output_size());
  const Tensor z = addmm(std::move(projected), state.h, w_h);
  const bool usual = activation == Activation::tanh && gate_activation == Activation::sigmoid;
  return usual ? LstmGates::step(z, state) : activated(z, state.c);
}

std::pair<Tensor, LstmCell::State> LstmGates::step(const Tensor& z, const State& state) {
  const auto [i, f, g, o] = split<4>(z);
  const auto [h, c] = fuse(
      "lstm_gates",
      [](auto i_, auto f_, auto g_, auto o_, auto c_) {
        const auto next = sigmoid(f_) * c_ + sigmoid(i_) * tanh(g_);
        return std::tuple{sigmoid(o_) * tanh(next), next};
      },
      i, f, g, o, state.c);
  return {h, {h, c}};
}

std::pair<Tensor, LstmCell::State> LstmCell::activated(const Tensor& z, const Tensor& c) const {
  const std::int64_t hidden = output_size();
  const auto [i, f] = split<2>(activate(gate_activation, slice(z, -1, 0, 2 * hidden)));
  const Tensor g = activate(activation, slice(z, -1, 2 * hidden, 3 * hidden));
  const Tensor o = activate(gate_activation, slice(z, -1, 3 * hidden, 4 * hidden));
  const Tensor next = fuse(
      "lstm_cell_state", [](auto i_, auto f_, auto g_, auto c_) { return f_ * c_ + i_ * g_; }, i, f,
      g, c);
  const Tensor h = o * activate(activation, next);
  return {h, {h, next}};
}

template struct Recurrent<LstmCell>;
template class RecurrentNetwork<LstmCell>;

}  // namespace rw
