#pragma once

#include <utility>

#include <rewind/layers/sequence_layer.hpp>

namespace rw::detail {

/// The batch size of x [T, B, features]. Throws ShapeError, naming `who`.
std::int64_t batch_of(const char* who, const Sequence& x);

/// Throws UsageError for dropout between layers if there is only one layer.
void check_dropout_between(const char* who, double p, std::size_t layers);

/// x + y with zeros in the padding of x. Throws ShapeError when the sizes differ.
Tensor residual_sum(const Sequence& x, const Tensor& y);

/// Calls a layer, with the Rng if it takes one.
template <class L, class X, class State>
std::pair<Tensor, State> call_layer(const L& layer, const X& x, State state, OptionalRng rng) {
  if constexpr (requires { layer(x, std::move(state), rng); }) {
    return layer(x, std::move(state), rng);
  } else if constexpr (requires { layer(x, std::move(state), *rng); }) {
    if (rng) {
      return layer(x, std::move(state), *rng);
    }
  } else {
    static_assert(
        !requires { layer(x, *rng); } && !requires { layer(x, std::move(state), &*rng); },
        "a layer that takes an Rng takes it as (x, state, OptionalRng) or (x, state, Rng&); "
        "otherwise its dropout would be skipped");
  }
  return layer(x, std::move(state));
}

/// Runs a layer inside `who`; all combinators call their parts through this. The layer takes a
/// Sequence or just a Tensor, and optionally an OptionalRng after the state. Throws UsageError if a
/// layer that does not support lengths would have to run over padding.
template <class L, class State>
std::pair<Tensor, State> run_layer(const char* who, const L& layer, const Sequence& x, State state,
                                   OptionalRng rng) {
  if constexpr (requires { layer(x, std::move(state)); }) {
    return call_layer(layer, x, std::move(state), rng);
  } else {
    check<UsageError>(!x.lengths.defined(),
                      "{}: a layer that takes a Tensor, not a Sequence, does not support lengths",
                      who);
    return call_layer(layer, x.steps, std::move(state), rng);
  }
}

}  // namespace rw::detail
