#pragma once

#include <rewind/layers/initializers.hpp>
#include <rewind/rewind.hpp>

namespace bench {

/// The minimal gated unit (Zhou et al. 2016) as a user would write it, for a benchmark and a timed
/// compilation. It is also made from options, so that it can be stacked like the ready-made cells.
struct MinimalGatedUnit {
  using State = rw::HiddenState;
  using Options = rw::LstmOptions;
  static constexpr const char* name = "custom-cell";

  rw::Parameter w_x, u_f, u_n, bias;

  MinimalGatedUnit(const Options& options, rw::Rng& rng)
      : w_x(rw::xavier_uniform({options.input, 2 * options.hidden}, rng)),
        u_f(rw::orthogonal({options.hidden, options.hidden}, rng)),
        u_n(rw::orthogonal({options.hidden, options.hidden}, rng)),
        bias(rw::zeros({2 * options.hidden})) {}

  std::int64_t output_size() const { return u_f.shape()[0]; }
  State initial_state(std::int64_t batch) const { return {rw::zeros({batch, output_size()})}; }

  rw::Tensor project(const rw::Tensor& x) const { return rw::addmm(bias, x, w_x); }

  std::pair<rw::Tensor, State> step(rw::Tensor projected, const State& s) const {
    auto [x_f, x_n] = rw::split<2>(std::move(projected));
    const rw::Tensor f = rw::addmm(std::move(x_f), s.h, u_f);
    const rw::Tensor kept = rw::fuse(
        "mgu_forget", [](auto f_, auto h) { return sigmoid(f_) * h; }, f, s.h);
    const rw::Tensor n = rw::addmm(std::move(x_n), kept, u_n);
    const rw::Tensor h = rw::fuse(
        "mgu_update", [](auto f_, auto n_, auto h_) { return h_ + sigmoid(f_) * (tanh(n_) - h_); },
        f, n, s.h);
    return {h, {h}};
  }
  std::pair<rw::Tensor, State> operator()(const rw::Tensor& x, const State& s) const {
    return step(project(x), s);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("u_f", u_f);
    visit("u_n", u_n);
    visit("bias", bias);
  }
};

}  // namespace bench
