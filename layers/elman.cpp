#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/initializers.hpp>

namespace rw {

ElmanCell::ElmanCell(const Options& options, Rng& rng)
    : activation(options.activation), output_activation(options.output_activation) {
  check<UsageError>(options.output >= 1, "{}: got output {}, expected at least 1", name,
                    options.output);
  // Each map separately, since the bounds depend on its size.
  w_x = Parameter(concat({xavier_uniform({options.input, options.hidden}, rng, options.dtype),
                          xavier_uniform({options.input, options.output}, rng, options.dtype)},
                         -1));
  w_h = Parameter(orthogonal({options.hidden, options.hidden}, rng, 1.0, options.dtype));
  w_o = Parameter(xavier_uniform({options.hidden, options.output}, rng, options.dtype));
  if (options.bias) {
    bias = Parameter(zeros({options.hidden + options.output}, options.dtype));
  }
}

ElmanCell::State ElmanCell::initial_state(std::int64_t batch) const {
  return {zeros({batch, w_h.shape()[0]}, w_h.dtype())};
}

Tensor ElmanCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, ElmanCell::State> ElmanCell::step(Tensor projected, const State& state) const {
  const std::int64_t hidden = w_h.shape()[0];
  check_state({name, w_h}, "h", state.h, projected.size(0), hidden);
  auto [z, v] = split(std::move(projected), {hidden, output_size()});
  const Tensor h = activate(activation, addmm(std::move(z), state.h, w_h));
  return {activate(output_activation, addmm(std::move(v), h, w_o)), {h}};
}

template struct Recurrent<ElmanCell>;
template class RecurrentNetwork<ElmanCell>;

}  // namespace rw
