#pragma once

#include <utility>

#include <rewind/autograd/operations/growing_concat.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/packed_weights.hpp>
#include <rewind/layers/cell.hpp>
#include <rewind/layers/detail/packing.hpp>

namespace rw::detail {

/// The steps of one run of a cell, in the order in which it runs them. Contains the optimisations
/// of a loop over time: inputs are projected many steps at a time, a step may overwrite its
/// projected input, outputs are copied straight to their places, and packed weights are kept for
/// the whole run.
///
///     TimeLoop<MyCell> loop(cell, packing, x);
///     while (loop.next()) {
///       auto [y, next] = loop.run(state);
///       state = loop.place(y, std::move(next));
///     }
///     Tensor outputs = loop.finish();
template <Cell C>
class TimeLoop {
 public:
  using State = typename C::State;

  /// `cell`, `packing` and `x` must outlive the loop.
  TimeLoop(const C& cell, const Packing& packing, const Sequence& x)
      : cell_(cell),
        packing_(packing),
        x_(x.steps),
        rows_(packing.packed(x.steps)),
        outputs_(static_cast<std::size_t>(packing.steps()), rows_.size(0)) {}

  /// Advances to the next step; the first call to the first step. False after the last.
  bool next() {
    if (done_ == packing_.steps()) {
      return false;
    }
    if (done_ == chunk_end_) {
      begin_chunk();
    }
    step_ = packing_.falling() ? last_ - 1 - (done_ - chunk_begin_) : first_ + done_ - chunk_begin_;
    ++done_;
    return true;
  }
  /// The index of the packed step (Note [Packed sequences]).
  std::int64_t step() const { return step_; }
  /// The inputs of the step, [rows, input].
  Tensor inputs() const {
    return slice(rows_, 0, packing_.begin(step_), packing_.begin(step_ + 1));
  }

  /// Runs the step from `state`. Call it once per step: it may overwrite the projected inputs.
  std::pair<Tensor, State> run(const State& state) {
    const std::int64_t begin = packing_.begin(step_) - packing_.begin(first_);
    const std::int64_t end = packing_.begin(step_ + 1) - packing_.begin(first_);
    Tensor now = last_ - first_ == 1 ? std::move(chunk_) : slice(chunk_, 0, begin, end);
    if (exclusive_) {
      mark_exclusive(now);
    }
    if constexpr (ProjectingCell<C>) {
      return cell_.step(std::move(now), state);
    } else {
      return cell_(now, state);
    }
  }

  /// Puts the output `y` in its place among the others. If it is also part of the state, the next
  /// step reads it there; the state after the last step does not share memory with the outputs.
  State place(const Tensor& y, State next) {
    const Tensor& placed = put(y);
    if (done_ < packing_.steps()) {
      for_each_tensor(next, [&](Tensor& tensor) {
        if (tensor.same_as(y)) {
          tensor = placed;
        }
      });
    }
    return next;
  }
  /// Only puts the output in its place, for states that are visible to others.
  const Tensor& put(const Tensor& y) {
    return outputs_.put(static_cast<std::size_t>(step_), packing_.begin(step_),
                        packing_.begin(step_ + 1), y);
  }

  /// The outputs of all steps, [T, B, output].
  Tensor finish() { return packing_.padded(outputs_.finish()); }

 private:
  void begin_chunk() {
    std::tie(first_, last_) = packing_.next_chunk(done_);
    chunk_begin_ = done_;
    chunk_end_ = done_ + last_ - first_;
    chunk_ = packing_.steps_of(slice(rows_, 0, packing_.begin(first_), packing_.begin(last_)));
    if constexpr (ProjectingCell<C>) {
      chunk_ = projected();
      exclusive_ = is_sole_owner(chunk_);  // Note [Products in place]
    }
    chunk_ = reshape(chunk_, Shape{chunk_.rows(), chunk_.columns()});
  }
  Tensor projected() const {
    try {
      return cell_.project(chunk_);
    } catch (const ShapeError&) {
      cell_.project(x_);  // throws the same error, but about the caller's x
      throw;
    }
  }

  const C& cell_;
  const Packing& packing_;
  const Tensor& x_;
  const WeightScope weights_{WeightScope::Kind::forward};
  Tensor rows_;  // of all steps, as packed
  GrowingConcat outputs_;
  std::int64_t done_ = 0;  // steps, including the current one
  std::int64_t step_ = 0;
  // The steps [first, last) are projected together.
  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  std::int64_t chunk_begin_ = 0;  // how many steps were done before them
  std::int64_t chunk_end_ = 0;
  Tensor chunk_;
  bool exclusive_ = false;
};

}  // namespace rw::detail
