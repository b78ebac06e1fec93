#pragma once

#include <rewind/autograd/operations/dropout.hpp>

namespace rw {

/// Inverted dropout (Srivastava et al. 2014) as a layer: with an Rng each value is zeroed with
/// probability p and the others are scaled by 1 / (1 - p); without one (evaluation) x passes
/// unchanged.
struct Dropout {
  double p = 0.5;

  Tensor operator()(const Tensor& x) const { return x; }
  Tensor operator()(const Tensor& x, Rng& rng) const { return dropout(x, p, rng); }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "dropout");
    visit("p", p);
  }
  template <class Visit>
  void parameters(Visit&&) {}
};

/// Variational dropout (Gal & Ghahramani 2016): x [T, B, features] with the same elements of [B,
/// features] dropped at every time step; p = 0 returns `x` and draws nothing. Throws as dropout
/// does, and ShapeError for a rank below 2.
Tensor variational_dropout(const Tensor& x, double p, Rng& rng);

}  // namespace rw
