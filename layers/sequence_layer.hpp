#pragma once

#include <utility>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/layers/cell.hpp>
#include <rewind/layers/optional_rng.hpp>
#include <rewind/layers/sequence.hpp>

namespace rw {

namespace detail {

/// What a layer is called with: a Sequence, or just the Tensor where it knows nothing of lengths.
template <class L, class X, class State>
concept RunsOver = requires(const L& layer, const X& x, State state) {
  { layer(x, std::move(state)) } -> std::same_as<std::pair<Tensor, State>>;
};

}  // namespace detail

/// A layer that reads a sequence x [T, B, input] and gives y [T, B, output] with its state after
/// the last step: Recurrent, Bidirectional, Stacked, Residual, the ready-made networks and the
/// user's own, which can all be nested.
///
///     struct MyLayer {
///       using State = ...;                              // as a cell's, any number of tensors
///       State initial_state(std::int64_t batch) const;
///       std::int64_t output_size() const;               // features of y
///       std::pair<Tensor, State> operator()(const Sequence& x, State s, OptionalRng rng =
///       std::nullopt) const; template <class Visit> void parameters(Visit&& visit);
///     };
///
/// A layer without dropout leaves the OptionalRng out; one that knows nothing of lengths takes a
/// `const Tensor& x`, and can then not be given a Sequence with lengths.
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
