#include <rewind/autograd/matmul.hpp>
#include <rewind/autograd/pointwise.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/lstm.hpp>

namespace rw {

LstmCell::LstmCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, 4 * options.hidden}, rng, options.dtype)),
      w_h(orthogonal_gates(options.hidden, 4, rng, options.dtype)) {
  if (options.bias) {
    const Tensor other = zeros({options.hidden}, options.dtype);
    const Tensor forget = ones({options.hidden}, options.dtype);
    bias = Parameter(concat({other, forget, other, other}, 0));
  }
}

LstmCell::State LstmCell::initial_state(std::int64_t batch) const {
  const Tensor zero = zeros({batch, output_size()}, w_h.dtype());
  return {zero, zero};
}

Tensor LstmCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, LstmCell::State> LstmCell::step(Tensor projected, const State& state) const {
  const auto [i, f, g, o] = split<4>(addmm(std::move(projected), state.h, w_h));
  const auto [h, c] = fuse(
      "lstm_gates",
      [](auto i_, auto f_, auto g_, auto o_, auto c_) {
        const auto next = sigmoid(f_) * c_ + sigmoid(i_) * tanh(g_);
        return std::tuple{sigmoid(o_) * tanh(next), next};
      },
      i, f, g, o, state.c);
  return {h, {h, c}};
}

}  // namespace rw
