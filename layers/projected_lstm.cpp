#include <rewind/layers/projected_lstm.hpp>

namespace rw {

ProjectedLstmCell::ProjectedLstmCell(const Options& options, Rng& rng) {
  check<UsageError>(options.projection >= 1,
                    "{}: got projection {}, expected at least 1; without projection use LstmCell",
                    name, options.projection);
  const auto gate = [&] {
    return orthogonal({options.projection, options.hidden}, rng, 1.0, options.dtype);
  };
  w_x = Parameter(xavier_uniform({options.input, 4 * options.hidden}, rng, options.dtype));
  w_h = Parameter(concat({gate(), gate(), gate(), gate()}, -1));
  w_r = Parameter(xavier_uniform({options.hidden, options.projection}, rng, options.dtype));
  if (options.bias) {
    bias = Parameter(gate_bias(options.hidden, LstmGates::bias, options.dtype));
  }
}

ProjectedLstmCell::State ProjectedLstmCell::initial_state(std::int64_t batch) const {
  return {zeros({batch, output_size()}, w_h.dtype()), zeros({batch, w_r.shape()[0]}, w_h.dtype())};
}

Tensor ProjectedLstmCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, ProjectedLstmCell::State> ProjectedLstmCell::step(Tensor projected,
                                                                    const State& state) const {
  check_state({name, w_h}, "h", state.h, projected.size(0), output_size());
  check_state({name, w_h}, "c", state.c, projected.size(0), w_r.shape()[0]);
  const auto [wide, next] = LstmGates::step(addmm(std::move(projected), state.h, w_h), state);
  const Tensor h = matmul(wide, w_r);
  return {h, {h, next.c}};
}

template struct Recurrent<ProjectedLstmCell>;
template class RecurrentNetwork<ProjectedLstmCell>;

}  // namespace rw
