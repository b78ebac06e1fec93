#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/layers/peephole_lstm.hpp>

namespace rw {

PeepholeLstmCell::PeepholeLstmCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, 4 * options.hidden}, rng, options.dtype)),
      w_h(orthogonal_gates(options.hidden, 4, rng, options.dtype)),
      peephole(zeros({3 * options.hidden}, options.dtype)) {
  if (options.bias) {
    bias = Parameter(gate_bias(options.hidden, LstmGates::bias, options.dtype));
  }
}

PeepholeLstmCell::State PeepholeLstmCell::initial_state(std::int64_t batch) const {
  const Tensor zero = zeros({batch, output_size()}, w_h.dtype());
  return {zero, zero};
}

Tensor PeepholeLstmCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, PeepholeLstmCell::State> PeepholeLstmCell::step(Tensor projected,
                                                                  const State& state) const {
  check_state({name, w_h}, "h", state.h, projected.size(0), output_size());
  check_state({name, w_h}, "c", state.c, projected.size(0), output_size());
  const auto [i, f, g, o] = split<4>(addmm(std::move(projected), state.h, w_h));
  const auto [p_i, p_f, p_o] = split<3>(peephole);
  const auto [h, c] = fuse(
      "peephole_gates",
      [](auto i_, auto f_, auto g_, auto o_, auto c_, auto to_i, auto to_f, auto to_o) {
        const auto next = sigmoid(f_ + to_f * c_) * c_ + sigmoid(i_ + to_i * c_) * tanh(g_);
        return std::tuple{sigmoid(o_ + to_o * next) * tanh(next), next};
      },
      i, f, g, o, state.c, p_i, p_f, p_o);
  return {h, {h, c}};
}

template struct Recurrent<PeepholeLstmCell>;
template class RecurrentNetwork<PeepholeLstmCell>;

}  // namespace rw
