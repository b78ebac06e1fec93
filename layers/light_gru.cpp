#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/light_gru.hpp>

namespace rw {

LightGruCell::LightGruCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, 2 * options.hidden}, rng, options.dtype)),
      w_h(orthogonal_gates(options.hidden, 2, rng, options.dtype)) {
  if (options.bias) {
    bias = Parameter(zeros({2 * options.hidden}, options.dtype));
  }
}

LightGruCell::State LightGruCell::initial_state(std::int64_t batch) const {
  return {zeros({batch, output_size()}, w_h.dtype())};
}

Tensor LightGruCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, LightGruCell::State> LightGruCell::step(Tensor projected,
                                                          const State& state) const {
  check_state({name, w_h}, "h", state.h, projected.size(0), output_size());
  const auto [z, n] = split<2>(addmm(std::move(projected), state.h, w_h));
  const Tensor h = fuse(
      "light_gru_gates",
      [](auto z_, auto n_, auto h_) {
        const auto candidate = relu(n_);
        return candidate + sigmoid(z_) * (h_ - candidate);
      },
      z, n, state.h);
  return {h, {h}};
}

template struct Recurrent<LightGruCell>;
template class RecurrentNetwork<LightGruCell>;

}  // namespace rw
