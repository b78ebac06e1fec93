#pragma once
// The rows of a state, one for each sequence of the batch. A state here is a cell's own or any
// nesting of pairs, tuples and vectors of states, as layers return them (for_each_tensor).

#include <cstdint>

#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/layers/cell.hpp>

namespace rw {

namespace detail {

/// `old` with its rows `indices` taken from `fresh`, of the same shape.
Tensor with_rows(const Tensor& old, const Tensor& indices, const Tensor& fresh);

/// Handles to the tensors of a state, in order.
template <class State>
TensorList tensors_of(State state) {
  TensorList list;
  for_each_tensor(state, [&](const Tensor& tensor) { list.push_back(tensor); });
  return list;
}

}  // namespace detail

/// The rows `indices` (int64 [n]), in that order: branches or reorders a state, for example for the
/// beams of a beam search. Throws ShapeError for an index that is not a row.
template <class State>
State select_rows(State state, const Tensor& indices) {
  for_each_tensor(state, [&](Tensor& tensor) { tensor = index_select(tensor, indices); });
  return state;
}

/// `state` with the rows `indices` (int64 [n]) taken from `fresh`: restarts some sequences of a
/// batch while the others keep their state.
///
///     state = reset_rows(detach(state), ended, lstm.initial_state(batch));
template <class State>
State reset_rows(State state, const Tensor& indices, const State& fresh) {
  const TensorList starts = detail::tensors_of(fresh);
  std::size_t i = 0;
  for_each_tensor(state, [&](Tensor& tensor) {
    check<UsageError>(i < starts.size(),
                      "reset_rows: the fresh state has {} tensors, expected more", starts.size());
    tensor = detail::with_rows(tensor, indices, starts[i++]);
  });
  return state;
}

}  // namespace rw
