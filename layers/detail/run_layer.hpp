#pragma once

#include <utility>

#include <rewind/layers/sequence_layer.hpp>

namespace rw::detail {

/// The batch of x [T, B, features]. Throws ShapeError in the name of `who`.
std::int64_t batch_of(const char* who, const Sequence& x);

/// Throws UsageError for dropout between the layers of one.
void check_dropout_between(const char* who, double p, std::size_t layers);

/// x + y with zeros in the padding of x. Throws ShapeError when the sizes differ.
Tensor residual_sum(const Sequence& x, const Tensor& y);

/// Calls a layer with the Rng where it takes one.
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
        "a layer that takes an Rng takes it as (x, state, OptionalRng) or (x, state, Rng&); else "
        "its dropout would be left out");
  }
  return layer(x, std::move(state));
}

/// Runs a layer inside of `who`: the one way in which combinators call what they are made of. The
/// layer takes a Sequence or just a Tensor, and an OptionalRng behind the state or none. Throws
/// UsageError where a layer that knows nothing of lengths would have to run over padding.
template <class L, class State>
std::pair<Tensor, State> run_layer(const char* who, const L& layer, const Sequence& x, State state,
                                   OptionalRng rng) {
  if constexpr (requires { layer(x, std::move(state)); }) {
    return call_layer(layer, x, std::move(state), rng);
  } else {
    check<UsageError>(!x.lengths.defined(),
                      "{}: a layer that takes a Tensor, not a Sequence, can't be given lengths",
                      who);
    return call_layer(layer, x.steps, std::move(state), rng);
  }
}

}  // namespace rw::detail
