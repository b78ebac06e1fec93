#include <rewind/autograd/matmul.hpp>
#include <rewind/autograd/pointwise.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/initializers.hpp>

namespace rw {

GruCell::GruCell(const Options& options, Rng& rng)
    : w_x(xavier_uniform({options.input, 3 * options.hidden}, rng, options.dtype)),
      w_h(orthogonal_gates(options.hidden, 3, rng, options.dtype)),
      reset(options.reset),
      activation(options.activation),
      gate_activation(options.gate_activation) {
  if (options.bias) {
    bias = Parameter(zeros({3 * options.hidden}, options.dtype));
    if (reset == Reset::after) {
      bias_h = Parameter(zeros({options.hidden}, options.dtype));
    }
  }
}

GruCell::State GruCell::initial_state(std::int64_t batch) const {
  return {zeros({batch, output_size()}, w_h.dtype())};
}

Tensor GruCell::project(const Tensor& x) const { return affine(name, x, w_x, bias); }

std::pair<Tensor, GruCell::State> GruCell::step(const Tensor& projected, const State& state) const {
  check_state(name, "h", state.h, projected.size(0), output_size());
  const bool usual = activation == Activation::tanh && gate_activation == Activation::sigmoid;
  const Tensor h = !usual                  ? activated(projected, state.h)
                   : reset == Reset::after ? reset_after(projected, state.h)
                                           : reset_before(projected, state.h);
  return {h, {h}};
}

Tensor GruCell::reset_after(const Tensor& projected, const Tensor& h) const {
  const auto [xr, xz, xn] = split<3>(projected);
  const auto [hr, hz, hn] = split<3>(matmul(h, w_h));
  const Operand b = bias_h.defined() ? Operand(bias_h) : Operand(0.0);
  return fuse(
      "gru_gates",
      [](auto xr_, auto xz_, auto xn_, auto hr_, auto hz_, auto hn_, auto b_, auto h_) {
        const auto z = sigmoid(xz_ + hz_);
        const auto n = tanh(xn_ + sigmoid(xr_ + hr_) * (hn_ + b_));
        return n + z * (h_ - n);
      },
      xr, xz, xn, hr, hz, hn, b, h);
}

Tensor GruCell::reset_before(const Tensor& projected, const Tensor& h) const {
  const std::int64_t hidden = output_size();
  const Tensor u_gates = slice(w_h, 1, 0, 2 * hidden);
  const Tensor u_n = slice(w_h, 1, 2 * hidden, 3 * hidden);
  const auto [r, z] = split<2>(addmm(slice(projected, -1, 0, 2 * hidden), h, u_gates));
  const Tensor kept = fuse(
      "gru_reset", [](auto r_, auto h_) { return sigmoid(r_) * h_; }, r, h);
  const Tensor n = addmm(slice(projected, -1, 2 * hidden, 3 * hidden), kept, u_n);
  return fuse(
      "gru_gates",
      [](auto z_, auto n_, auto h_) {
        const auto candidate = tanh(n_);
        return candidate + sigmoid(z_) * (h_ - candidate);
      },
      z, n, h);
}

Tensor GruCell::activated(const Tensor& projected, const Tensor& h) const {
  const std::int64_t hidden = output_size();
  const auto gates = [&](const Tensor& t) { return slice(t, -1, 0, 2 * hidden); };
  const auto candidate = [&](const Tensor& t) { return slice(t, -1, 2 * hidden, 3 * hidden); };
  const auto update = [&](const Tensor& z, const Tensor& n) {
    return fuse(
        "gru_update", [](auto z_, auto n_, auto h_) { return n_ + z_ * (h_ - n_); }, z, n, h);
  };
  if (reset == Reset::before) {
    const auto [r, z] = split<2>(activate(gate_activation, addmm(gates(projected), h, gates(w_h))));
    return update(z, activate(activation, addmm(candidate(projected), r * h, candidate(w_h))));
  }
  const Tensor recurrent = matmul(h, w_h);
  const auto [r, z] = split<2>(activate(gate_activation, gates(projected) + gates(recurrent)));
  const Tensor n = fuse(
      "gru_candidate", [](auto x, auto r_, auto h_, auto b) { return x + r_ * (h_ + b); },
      candidate(projected), r, candidate(recurrent),
      bias_h.defined() ? Operand(bias_h) : Operand(0.0));
  return update(z, activate(activation, n));
}

}  // namespace rw
