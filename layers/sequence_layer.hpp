#pragma once

#include <utility>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/layers/cell.hpp>
#include <rewind/layers/optional_rng.hpp>
#include <rewind/layers/sequence.hpp>

namespace rw {

namespace detail {

/// The argument of a layer: a Sequence, or just the Tensor if it does not support lengths.
template <class L, class X, class State>
concept RunsOver = requires(const L& layer, const X& x, State state) {
  { layer(x, std::move(state)) } -> std::same_as<std::pair<Tensor, State>>;
};

}  // namespace detail

/// A layer that maps a sequence x [T, B, input] to y [T, B, output] and the state after the last
/// step: Recurrent, Bidirectional, Stacked, Residual, the ready-made networks and your own. All can
/// be nested.
///
///     struct MyLayer {
///       using State = ...;                              // as a cell's, any number of tensors
///       State initial_state(std::int64_t batch) const;
///       std::int64_t output_size() const;               // features of y
///       std::pair<Tensor, State> operator()(const Sequence& x, State s, OptionalRng rng =
///       std::nullopt) const; template <class Visit> void parameters(Visit&& visit);
///     };
///
/// A layer without dropout omits the OptionalRng; one that does not support lengths takes a `const
/// Tensor& x`, and then accepts no Sequence with lengths.
template <class L>
concept SequenceLayer = HasParameters<L> && requires {
  typename L::State;
} && std::copyable<typename L::State> && RecurrentState<typename L::State> &&
    requires(const L& layer) {
  { layer.initial_state(std::int64_t{}) } -> std::same_as<typename L::State>;
  { layer.output_size() } -> std::convertible_to<std::int64_t>;
} &&(detail::RunsOver<L, Sequence, typename L::State> ||
     (detail::RunsOver<L, Tensor, typename L::State> && !ProjectingCell<L>));

}  // namespace rw
