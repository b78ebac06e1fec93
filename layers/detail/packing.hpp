#pragma once

#include <rewind/layers/sequence.hpp>

namespace rw::detail {

// Note [Packed sequences]
// A batch of sequences of different lengths is run without its padding. The sequences are sorted,
// longest first, so that those still running at a step are always the first ones; the rows of all
// steps are then stored one step after another, [N, features] with N the sum of the lengths. A step
// works on one slice of these rows, and the state loses its last rows where sequences end. To run
// from the last step to the first, each sequence is packed in reverse. Every row-wise operation
// gives each sequence the same values as it would alone.
//
// If all lengths equal T, nothing is moved and a slice of steps is a view.
class Packing {
 public:
  /// Throws ShapeError, naming `who`, unless the steps have three axes and the lengths fit.
  Packing(const char* who, const Sequence& sequence, Direction direction = Direction::forward);

  /// Whether packed steps are run in decreasing order.
  bool falling() const { return direction_ == Direction::backward && !starts_.defined(); }
  std::int64_t batch() const { return batch_; }
  /// The longest length.
  std::int64_t steps() const { return steps_; }
  /// How many sequences are longer than `step`.
  std::int64_t active(std::int64_t step) const { return begin(step + 1) - begin(step); }
  /// The first row of `step` in the packed steps.
  std::int64_t begin(std::int64_t step) const {
    return starts_.defined() ? starts_.data<std::int64_t>()[step] : step * batch_;
  }

  /// The position of packed row `row` in the steps: step * B + sequence.
  std::int64_t place(std::int64_t row) const {
    return places_.defined() ? places_.data<std::int64_t>()[row] : row;
  }

  /// The steps [first, last) whose inputs should be projected together, after `done` others.
  std::pair<std::int64_t, std::int64_t> next_chunk(std::int64_t done) const;

  /// [T, B, features] -> [N, features].
  Tensor packed(const Tensor& steps) const;
  /// Rows of whole steps reshaped to three axes, as cells project them: [steps, B, features], or
  /// [1, rows, features] if lengths differ.
  Tensor steps_of(const Tensor& rows) const;
  /// [N, features] -> [T, B, features] with zeros in the padding.
  Tensor padded(const Tensor& rows) const;
  /// Rows of a state [B, ...] from the order of the batch to longest first, and back.
  Tensor by_length(const Tensor& rows) const;
  Tensor in_order(const Tensor& rows) const;

 private:
  Direction direction_;
  std::int64_t length_;  // T
  std::int64_t batch_;
  std::int64_t steps_;
  // All int64, and undefined if every sequence has T steps.
  Tensor starts_;    // [steps + 1]
  Tensor places_;    // [N], in the steps as rows [T B]
  Tensor order_;     // [B], longest first; undefined if the batch already has that order
  Tensor position_;  // [B], of each sequence in that order
};

}  // namespace rw::detail
