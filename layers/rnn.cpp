#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/rnn.hpp>

namespace rw {

namespace {

Tensor input_weights(const RnnOptions& options, Rng& rng) {
  const Shape shape{options.input, options.hidden};
  return options.start == RecurrentStart::identity ? rng.normal(shape, 0.0, 0.001, options.dtype)
                                                   : xavier_uniform(shape, rng, options.dtype);
}

Tensor recurrent_weights(const RnnOptions& options, Rng& rng) {
  const Shape shape{options.hidden, options.hidden};
  return options.start == RecurrentStart::identity ? identity(options.hidden, 1.0, options.dtype)
                                                   : orthogonal(shape, rng, 1.0, options.dtype);
}

}  // namespace

RnnOptions irnn(RnnOptions options) {
  options.activation = Activation::relu;
  options.start = RecurrentStart::identity;
  return options;
}

RnnCell::RnnCell(const Options& options, Rng& rng)
    : w_x(input_weights(options, rng)),
      w_h(recurrent_weights(options, rng)),
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
  check_state({name, w_h}, "h", state.h, projected.size(0), output_size());
  const Tensor h = activate(activation, addmm(std::move(projected), state.h, w_h));
  return {h, {h}};
}

template struct Recurrent<RnnCell>;
template class RecurrentNetwork<RnnCell>;

}  // namespace rw
