#pragma once
// A cell is one time step of a recurrent network, written as its forward pass; back-propagation
// through time arises by itself.

#include <array>
#include <concepts>
#include <tuple>
#include <utility>
#include <vector>

#include <rewind/autograd/parameter_list.hpp>

namespace rw {

/// A recurrent cell: parameters and one step, input first and state second, output first and state
/// second.
///
///     struct MyCell {
///       struct State { Tensor h; auto tensors() { return std::array{&h}; } };
///       State initial_state(std::int64_t batch) const;  // usually zeros [batch, hidden]
///       std::int64_t output_size() const;               // features of y
///       std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const;
///       template <class Visit> void parameters(Visit&& visit);
///     };
///
/// x is [batch, input]; where sequences have ended, a step has fewer rows than the batch.
/// State::tensors() gives pointers to its tensors, all [batch, ...], so that states can be
/// detached, selected and compared.
template <class C>
concept Cell = Layer<C> && std::copyable<typename C::State> &&
    requires(const C& cell, const Tensor& x, typename C::State& state) {
  { cell.initial_state(std::int64_t{}) } -> std::same_as<typename C::State>;
  { cell.output_size() } -> std::convertible_to<std::int64_t>;
  { cell(x, state) } -> std::same_as<std::pair<Tensor, typename C::State>>;
  state.tensors();
};

/// A cell whose product with the input does not depend on the state. `project` maps the inputs of
/// all steps at once, [T, batch, input] -> [T, batch, projected], and `step` takes one step from a
/// projected input: one large product instead of T small ones. It has to treat each row by itself:
/// rows of sequences of different lengths come as [1, rows, input].
template <class C>
concept ProjectingCell = Cell<C> &&
    requires(const C& cell, const Tensor& x, const typename C::State& state) {
  { cell.project(x) } -> std::same_as<Tensor>;
  { cell.step(Tensor(x), state) } -> std::same_as<std::pair<Tensor, typename C::State>>;
};

/// States of several layers; memory comes from the pool.
template <class State>
using StateVector = std::vector<State, detail::PoolAllocator<State>>;

/// Calls `body(tensor)` for every tensor of a state: a cell's own, or any nesting of pairs, tuples
/// and vectors of states.
template <class State, class Body>
void for_each_tensor(State& state, Body&& body) {
  if constexpr (std::same_as<std::remove_const_t<State>, Tensor>) {
    body(state);
  } else if constexpr (requires { state.tensors(); }) {
    for (Tensor* tensor : state.tensors()) {
      body(*tensor);
    }
  } else if constexpr (requires { state.begin(); }) {
    for (auto& element : state) {
      for_each_tensor(element, body);
    }
  } else {
    std::apply([&](auto&... element) { (for_each_tensor(element, body), ...); }, state);
  }
}

/// The same values as constants: carries a state from one chunk to the next without its history
/// (truncated back-propagation through time).
template <class State>
State detach(State state) {
  for_each_tensor(state, [](Tensor& tensor) { tensor = tensor.detach(); });
  return state;
}

namespace detail {

/// What a cell is called in messages.
template <class C>
constexpr const char* name_of_cell() {
  if constexpr (requires { C::name; }) {
    return C::name;
  } else {
    return "recurrent";
  }
}

}  // namespace detail

/// A state of one tensor.
struct HiddenState {
  Tensor h;
  std::array<Tensor*, 1> tensors() { return {&h}; }
};

}  // namespace rw
