#pragma once
// The rows of a state, one for each sequence of the batch. A state here is a cell's own or any
// nesting of pairs, tuples and vectors of states, as layers return them (for_each_tensor).

#include <cstdint>
#include <span>

#include <rewind/autograd/indexing.hpp>
#include <rewind/autograd/movement.hpp>
#include <rewind/autograd/views.hpp>
#include <rewind/layers/cell.hpp>

namespace rw {

namespace detail {

/// `old` with its rows `indices` taken from `fresh`, of the same shape.
Tensor with_rows(const Tensor& old, const Tensor& indices, const Tensor& fresh);

/// The tensors of a state in their order. Handles: the state itself stays as it is.
template <class State>
TensorList tensors_of(State state) {
  TensorList list;
  for_each_tensor(state, [&](const Tensor& tensor) { list.push_back(tensor); });
  return list;
}

/// `state` with each tensor replaced by `body(tensor, the same tensor of other)`.
template <class State, class Body>
State zip_states(State state, const State& other, Body&& body) {
  const TensorList others = tensors_of(other);
  std::size_t i = 0;
  for_each_tensor(state, [&](Tensor& tensor) {
    check<UsageError>(i < others.size(), "state: got {} tensors beside one of more", others.size());
    tensor = body(tensor, others[i++]);
  });
  return state;
}

}  // namespace detail

/// The rows [begin, end): views.
template <class State>
State slice_rows(State state, std::int64_t begin, std::int64_t end) {
  for_each_tensor(state, [&](Tensor& tensor) { tensor = slice(tensor, 0, begin, end); });
  return state;
}

/// The rows `indices` (int64 [n]), in that order: branches a state, or puts it in another order, as
/// the beams of a beam search need it. Throws ShapeError for an index that is not a row.
template <class State>
State select_rows(State state, const Tensor& indices) {
  for_each_tensor(state, [&](Tensor& tensor) { tensor = index_select(tensor, indices); });
  return state;
}

/// The rows of several states one after another.
template <class State>
State concat_rows(std::span<const State> states) {
  check<UsageError>(!states.empty(), "concat_rows: got no states, expected at least one");
  State all = states[0];
  std::vector<TensorList, detail::PoolAllocator<TensorList>> parts;
  parts.reserve(states.size());
  for (const State& state : states) {
    parts.push_back(detail::tensors_of(state));
  }
  std::size_t i = 0;
  for_each_tensor(all, [&](Tensor& tensor) {
    TensorList rows;
    rows.reserve(parts.size());
    for (const TensorList& part : parts) {
      rows.push_back(part[i]);
    }
    ++i;
    tensor = concat(std::span<const Tensor>(rows), 0);
  });
  return all;
}

/// `state` with the rows `indices` (int64 [n]) taken from `fresh`: starts single sequences of a
/// batch anew, where the others carry their state on.
///
///     state = reset_rows(detach(state), ended, lstm.initial_state(batch));
template <class State>
State reset_rows(State state, const Tensor& indices, const State& fresh) {
  return detail::zip_states(std::move(state), fresh, [&](const Tensor& old, const Tensor& start) {
    return detail::with_rows(old, indices, start);
  });
}

}  // namespace rw
