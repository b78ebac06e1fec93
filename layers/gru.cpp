#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/check_state.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/initializers.hpp>

namespace rw {

namespace {
Tensor updated(const Tensor& z, const Tensor& n, const Tensor& h) {
  return fuse(
      "gru_update", [](auto z_, auto n_, auto h_) { return n_ + z_ * (h_ - n_); }, z, n, h);
}
}  // namespace

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

// Reset after the product: [x W_n + b_n | x W_r + b_r | x W_z + b_z | b_h]. The product with the
// state goes to the last three parts, which are therefore adjacent.
Tensor GruCell::project(const Tensor& x) const {
  if (reset == Reset::before) {
    return affine(name, x, w_x, bias);
  }
  check_features(name, x, w_x);
  const std::int64_t hidden = output_size();
  const auto [w_gates, w_n] = split(w_x, {2 * hidden, hidden});
  const auto or_zeros = [&](const Parameter& b, std::int64_t size) {
    return b.defined() ? b.value() : zeros({size}, w_x.dtype());
  };
  const auto [b_gates, b_n] = split(or_zeros(bias, 3 * hidden), {2 * hidden, hidden});
  const Tensor start = concat({b_n, b_gates, or_zeros(bias_h, hidden)}, 0);
  // The alias sums the gradients of both products before they reach x. So other contributions to x,
  // such as a residual's, do not change how they round, and a sequence in a batch gets the same
  // bits as alone (sequence_test, reset_before_merges_residuals_and_learned_states_as_if_alone).
  const Tensor rows = detail::alias("gru_input", x);
  return addmm_columns(addmm_columns(start, rows, w_gates, hidden), rows, w_n, 0);
}

std::pair<Tensor, GruCell::State> GruCell::step(Tensor projected, const State& state) const {
  check_state({name, w_h}, "h", state.h, projected.size(0), output_size());
  const Tensor h = reset == Reset::after ? reset_after(std::move(projected), state.h)
                                         : reset_before(std::move(projected), state.h);
  return {h, {h}};
}

Tensor GruCell::reset_after(Tensor projected, const Tensor& h) const {
  const std::int64_t hidden = output_size();
  const Tensor sums = addmm_columns(std::move(projected), h, w_h, hidden);
  if (is_usual()) {
    const auto [xn, r, z, hn] = split<4>(sums);
    return fuse(
        "gru_gates",
        [](auto xn_, auto r_, auto z_, auto hn_, auto h_) {
          const auto n = tanh(xn_ + sigmoid(r_) * hn_);
          return n + sigmoid(z_) * (h_ - n);
        },
        xn, r, z, hn, h);
  }
  const auto [xn, gates, hn] = split(sums, {hidden, 2 * hidden, hidden});
  const auto [r, z] = split<2>(activate(gate_activation, gates));
  const Tensor n = fuse(
      "gru_candidate", [](auto x_, auto r_, auto h_) { return x_ + r_ * h_; }, xn, r, hn);
  return updated(z, activate(activation, n), h);
}

Tensor GruCell::reset_before(Tensor projected, const Tensor& h) const {
  const std::int64_t hidden = output_size();
  const auto [u_gates, u_n] = split(w_h, {2 * hidden, hidden});
  auto [x_gates, x_n] = split(std::move(projected), {2 * hidden, hidden});
  const Tensor gates = addmm(std::move(x_gates), h, u_gates);
  if (is_usual()) {
    const auto [r, z] = split<2>(gates);
    const Tensor kept = fuse(
        "gru_reset", [](auto r_, auto h_) { return sigmoid(r_) * h_; }, r, h);
    return fuse(
        "gru_gates",
        [](auto z_, auto n_, auto h_) {
          const auto candidate = tanh(n_);
          return candidate + sigmoid(z_) * (h_ - candidate);
        },
        z, addmm(std::move(x_n), kept, u_n), h);
  }
  const auto [r, z] = split<2>(activate(gate_activation, gates));
  return updated(z, activate(activation, addmm(std::move(x_n), r * h, u_n)), h);
}

template struct Recurrent<GruCell>;
template class RecurrentNetwork<GruCell>;

}  // namespace rw
