#pragma once

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// The end from which a sequence is read.
enum class Direction { forward, backward };
constexpr const char* name_of(Direction direction) {
  return direction == Direction::forward ? "forward" : "backward";
}

/// A batch of sequences of different lengths, padded to one length T: steps [T, B, features], time
/// first, and lengths int64 [B], each from 0 to T; undefined lengths (Tensor()) mean T for all.
///
/// Every recurrent layer takes one, and a tensor converts to one implicitly:
///
///     auto [y, state] = lstm({x, lengths});
///
/// The content of the padding, even NaN, has no effect: each sequence's outputs, last state and
/// gradients are those of the sequence run alone. Outputs and gradients in the padding are 0. No
/// work is spent on sequences that have ended.
struct Sequence {
  Tensor steps;
  Tensor lengths;
  Padding padding = Padding::after;

  template <class T>
  requires std::convertible_to<const T&, Tensor>
  explicit(false) Sequence(const T& all_steps) : steps(all_steps) {}
  Sequence(Tensor padded_steps, Tensor sequence_lengths, Padding side = Padding::after)
      : steps(std::move(padded_steps)), lengths(std::move(sequence_lengths)), padding(side) {}

  /// Other steps with the same lengths, as a layer passes them to the next.
  Sequence with(Tensor other_steps) const { return {std::move(other_steps), lengths, padding}; }
};

/// The last step of each sequence, [T, B, features] -> [B, features]; zeros for a length of 0.
/// Throws ShapeError for steps without batch axis and for lengths that do not fit. The backward
/// half of a bidirectional output has read only one step there: use final_output(state) for both
/// halves after the whole sequence.
///
///     Tensor summary = last_step({y, lengths});
Tensor last_step(const Sequence& sequence);

}  // namespace rw
