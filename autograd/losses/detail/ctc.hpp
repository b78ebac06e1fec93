#pragma once

#include <rewind/autograd/tensor/tensor.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

// Note [States of a path]
// The labels l_1 .. l_n of a sequence, with a blank before, between and after them, are the 2n + 1
// states of a path. At every step the path stays, moves to the next state, or skips a blank between
// different labels. It starts in one of the first two states and ends in one of the last two.

/// The labels of a batch as states.
struct CtcStates {
  Tensor classes;  // int64 [B, 2 S + 1]: the class of each state, blanks after the last
  Tensor counts;   // int64 [3, B]: time steps of each sequence, states, and padding in front
};

/// Whether a path may come to `state` from the one two before it.
inline bool may_skip(const std::int64_t* classes, std::int64_t state) {
  return state % 2 == 1 && state >= 3 && classes[state] != classes[state - 2];
}

/// The gradient of each sequence's -log p with respect to its logits, times `slope` [1, B, 1] (or
/// fewer axes), from recordable operations: [T, B, C]; 0 in the padding, finite but meaningless
/// where no path exists.
Tensor recorded_ctc_gradient(const Tensor& logits, const CtcStates& states, const Tensor& slope);

}  // namespace rw::detail

#pragma GCC visibility pop
