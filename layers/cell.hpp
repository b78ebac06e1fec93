#pragma once
// A cell is one time step of a recurrent network, written as its forward pass; the tape does
// back-propagation through time.

#include <concepts>
#include <tuple>
#include <utility>
#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/layers/sequence.hpp>

namespace rw {

/// The state of a cell whose output is its state.
struct HiddenState {
  Tensor h;

  template <class Visit>
  void tensors(Visit&& visit) {
    visit("h", h);
  }
  const Tensor& output() const { return h; }
};

/// A recurrent cell: parameters and one step from input and state to output and state.
///
///     struct MyCell {
///       struct State {
///         Tensor h, c;
///         template <class Visit> void tensors(Visit&& visit) { visit("h", h); visit("c", c); }
///         const Tensor& output() const { return h; }    // only if y is part of the state
///       };
///       State initial_state(std::int64_t batch) const;  // usually zeros [batch, hidden]
///       std::int64_t output_size() const;               // features of y
///       std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const;
///       template <class Visit> void parameters(Visit&& visit);
///     };
///
/// x is [batch, input]; where sequences have ended, a step has fewer rows than the batch. The
/// state's tensors are all [batch, ...]; checkpoints and gradient_flow use their names. A type that
/// takes a Sequence runs over time, and is a layer.
template <class C>
concept Cell = HasParameters<C> && std::copyable<typename C::State> &&
    RecurrentState<typename C::State> &&
    requires(const C& cell, const Tensor& x, typename C::State& state) {
  { cell.initial_state(std::int64_t{}) } -> std::same_as<typename C::State>;
  { cell.output_size() } -> std::convertible_to<std::int64_t>;
  { cell(x, state) } -> std::same_as<std::pair<Tensor, typename C::State>>;
} && !requires(const C& layer, const Sequence& x, typename C::State& state) {
  layer(x, state);
};

/// A cell whose product with the input does not depend on the state. `project` maps the inputs of
/// all steps at once, [T, batch, input] -> [T, batch, projected], and `step` takes one step from a
/// projected input: one large product instead of T small ones. `project` must treat each row
/// independently: rows of sequences of different lengths come as [1, rows, input].
template <class C>
concept ProjectingCell = Cell<C> &&
    requires(const C& cell, const Tensor& x, const typename C::State& state) {
  { cell.project(x) } -> std::same_as<Tensor>;
  { cell.step(Tensor(x), state) } -> std::same_as<std::pair<Tensor, typename C::State>>;
};

/// States of several layers, allocated from the pool.
template <class State>
using StateVector = std::vector<State, detail::PoolAllocator<State>>;

/// The same values as constants: carries a state from one chunk to the next without its history
/// (truncated back-propagation through time).
template <RecurrentState State>
State detach(State state) {
  for_each_tensor(state, [](Tensor& tensor) { tensor = tensor.detach(); });
  return state;
}

namespace detail {

/// One error message for each requirement of a cell that C does not meet.
template <class C>
struct CheckedCell {
  static constexpr bool has_state = requires {
    typename C::State;
    requires std::copyable<typename C::State>;
    requires RecurrentState<typename C::State>;
  };
  static_assert(
      HasParameters<C>,
      "cell: it needs `template <class Visit> void parameters(Visit&& visit)`, which calls "
      "visit(\"w_x\", w_x) for each parameter");
  static_assert(has_state,
                "cell: it needs a type `State` that can be copied and has `template <class Visit> "
                "void tensors(Visit&& visit)`, which calls visit(\"h\", h) for each tensor");
  static_assert(
      requires(const C& cell) {
        { cell.output_size() } -> std::convertible_to<std::int64_t>;
      },
      "cell: it needs `std::int64_t output_size() const`, the number of features of its output");
  static_assert(
      !has_state ||
          requires(const C& cell) {
            { cell.initial_state(std::int64_t{}) } -> std::same_as<typename C::State>;
          },
      "cell: it needs `State initial_state(std::int64_t batch) const`");
  static_assert(
      !has_state ||
          requires(const C& cell, const Tensor& x, typename C::State& state) {
            { cell(x, state) } -> std::same_as<std::pair<Tensor, typename C::State>>;
          },
      "cell: it needs `std::pair<Tensor, State> operator()(const Tensor& x, const State& state) "
      "const`");
  static_assert(
      !has_state || !requires(const C& layer, const Sequence& x,
                              typename C::State& state) { layer(x, state); },
      "cell: it takes a Sequence, so it is a layer already; use it as it is");
};

/// C::State, or a placeholder if there is none, so that no further errors follow.
template <class C>
struct StateOf {
  using State = HiddenState;
};
template <class C>
requires requires { typename C::State; }
struct StateOf<C> {
  using State = typename C::State;
};

template <class>
inline constexpr bool is_tuple = false;
template <class... Parts>
inline constexpr bool is_tuple<std::tuple<Parts...>> = true;
template <class>
inline constexpr bool never = false;

/// The name of a cell in messages.
template <class C>
constexpr const char* name_of_cell() {
  if constexpr (requires { C::name; }) {
    return C::name;
  } else {
    return "recurrent";
  }
}

}  // namespace detail

/// The output of the last layer after all its steps, [B, features], taken from the state that a run
/// returned: a summary of the whole sequence. For a bidirectional layer these are the forward half
/// after the last step and the backward half after the first, each having read the whole sequence,
/// merged as the layer merges its outputs; in last_step(y) the backward half has read only one
/// step. For a forward layer it equals last_step({y, lengths}), and for a length of 0 it is the
/// initial state's output.
///
///     auto [y, state] = lstm({x, lengths});
///     Tensor logits = head(final_output(state));
///
/// The state's output() says which of its tensors is the cell's output. Where the output is not
/// part of the state, as with ElmanCell and Residual, this does not compile, and a RecurrentNetwork
/// with residual layers throws UsageError.
template <RecurrentState State>
Tensor final_output(const State& state) {
  if constexpr (std::same_as<State, Tensor>) {
    return state;
  } else if constexpr (requires { state.output(); }) {
    return state.output();
  } else if constexpr (detail::is_tuple<State>) {
    return final_output(std::get<std::tuple_size_v<State> - 1>(state));
  } else {
    static_assert(
        detail::never<State>,
        "final_output: this state does not say which of its tensors is the cell's output. "
        "Give it `const Tensor& output() const`; where the output is not part of the "
        "state, take it from the outputs of all steps, with last_step");
  }
}

}  // namespace rw
