#include <rewind/autograd/math.hpp>
#include <rewind/autograd/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/rnn.hpp>

namespace rw {

RnnCell::RnnCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, options.hidden}, rng, options.dtype)),
      w_h(orthogonal({options.hidden, options.hidden}, rng, 1.0, options.dtype)),
      activation(options.activation) {
  if (options.bias) {
    bias = Parameter(zeros({options.hidden}, options.dtype));
  }
}

RnnCell::State RnnCell::initial_state(std::int64_t batch) const {
  return {zeros({batch, output_size()}, w_h.dtype())};
}

Tensor RnnCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, RnnCell::State> RnnCell::step(Tensor projected, const State& state) const {
  const Tensor z = addmm(std::move(projected), state.h, w_h);
  const Tensor h = activation == Activation::tanh ? tanh(z) : relu(z);
  return {h, {h}};
}

}  // namespace rw
