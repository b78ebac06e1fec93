#pragma once

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Which end a sequence is read from.
enum class Direction { forward, backward };
constexpr const char* name_of(Direction direction) {
  return direction == Direction::forward ? "forward" : "backward";
}

/// A batch of sequences of different lengths, padded to one length T: steps [T, B, features], time
/// first, and lengths int64 [B], each from 0 to T; undefined lengths (Tensor()) mean T for all.
///
/// Every recurrent layer takes one, and a tensor turns into one by itself:
///
///     auto [y, state] = lstm({x, lengths});
///
/// What stands in the padding, NaN too, changes nothing: each sequence's outputs, last state and
/// gradients are those of the sequence run alone. Outputs in the padding are 0, and so is the
/// gradient there. No work is spent on sequences that have ended.
struct Sequence {
  Tensor steps;
  Tensor lengths;
  Padding padding = Padding::after;

  template <class T>
  requires std::convertible_to<const T&, Tensor>
  explicit(false) Sequence(const T& all_steps) : steps(all_steps) {}
  Sequence(Tensor padded_steps, Tensor sequence_lengths, Padding side = Padding::after)
      : steps(std::move(padded_steps)), lengths(std::move(sequence_lengths)), padding(side) {}

  /// The same lengths around other steps: what a layer hands to the next.
  Sequence with(Tensor other_steps) const { return {std::move(other_steps), lengths, padding}; }
};

/// The last step of each sequence, [T, B, features] -> [B, features]; zeros for a length of 0.
/// Throws ShapeError for steps without batch axis and for lengths that do not fit. The backward
/// half of a bidirectional output has read one step there: final_output(state) takes both at their
/// ends.
///
///     Tensor summary = last_step({y, lengths});
Tensor last_step(const Sequence& sequence);

}  // namespace rw
