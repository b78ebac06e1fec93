#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/mgu.hpp>

namespace rw {

MguCell::MguCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, 2 * options.hidden}, rng, options.dtype)),
      u_f(orthogonal({options.hidden, options.hidden}, rng, 1.0, options.dtype)),
      u_n(orthogonal({options.hidden, options.hidden}, rng, 1.0, options.dtype)) {
  if (options.bias) {
    bias = Parameter(zeros({2 * options.hidden}, options.dtype));
  }
}

MguCell::State MguCell::initial_state(std::int64_t batch) const {
  return {zeros({batch, output_size()}, u_f.dtype())};
}

Tensor MguCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, MguCell::State> MguCell::step(Tensor projected, const State& state) const {
  check_state({name, u_f}, "h", state.h, projected.size(0), output_size());
  auto [x_f, x_n] = split<2>(std::move(projected));
  const Tensor f = addmm(std::move(x_f), state.h, u_f);
  const Tensor kept = fuse(
      "mgu_forget", [](auto f_, auto h_) { return sigmoid(f_) * h_; }, f, state.h);
  const Tensor n = addmm(std::move(x_n), kept, u_n);
  const Tensor h = fuse(
      "mgu_update", [](auto f_, auto n_, auto h_) { return h_ + sigmoid(f_) * (tanh(n_) - h_); }, f,
      n, state.h);
  return {h, {h}};
}

template struct Recurrent<MguCell>;
template class RecurrentNetwork<MguCell>;

}  // namespace rw
