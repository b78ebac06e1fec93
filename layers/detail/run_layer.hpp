#pragma once

#include <utility>

#include <rewind/autograd/rng.hpp>
#include <rewind/layers/sequence.hpp>

namespace rw::detail {

/// The batch of x [T, B, features]. Throws ShapeError in the name of `who`.
std::int64_t batch_of(const char* who, const Sequence& x);

/// x + y with zeros in the padding of x. Throws ShapeError when the sizes differ.
Tensor residual_sum(const Sequence& x, const Tensor& y);

/// Runs a layer that may know nothing of random numbers, or of lengths. Throws UsageError where it
/// would have to run over padding.
template <class L, class State>
std::pair<Tensor, State> run_layer(const L& layer, const Sequence& x, State state, Rng* rng) {
  if constexpr (requires { layer(x, std::move(state), *rng); }) {
    if (rng != nullptr) {
      return layer(x, std::move(state), *rng);
    }
  }
  if constexpr (requires { layer(x, std::move(state)); }) {
    return layer(x, std::move(state));
  } else {
    check<UsageError>(!x.lengths.defined(),
                      "stacked: a layer that takes a Tensor, not a Sequence, can't be given "
                      "lengths");
    return layer(x.steps, std::move(state));
  }
}

}  // namespace rw::detail
