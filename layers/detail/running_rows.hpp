#pragma once

#include <rewind/layers/detail/packing.hpp>

namespace rw::detail {

/// Keeps the rows that leave a state where sequences end (Note [Packed sequences]). Each function
/// must be called for all tensors of the state, always in the same order.
class RunningRows {
 public:
  explicit RunningRows(const Packing& packing) : packing_(packing), rows_(packing.batch()) {}

  /// Throws ShapeError, naming `who`, unless a tensor of the initial state has a row for each
  /// sequence of `steps`.
  void check(const char* who, const Tensor& tensor, const Tensor& steps) const;
  /// Removes the rows of sequences that end before `step` from the state.
  template <class State>
  void shorten(State& state, std::int64_t step) {
    if (ends_before(step)) {
      for_each_tensor(state, [&](Tensor& tensor) { tensor = shorter(tensor); });
    }
  }
  /// Each sequence's rows after its own last step, in the order of the batch.
  Tensor finish(const Tensor& tensor);

 private:
  bool ends_before(std::int64_t step);
  Tensor shorter(const Tensor& tensor);

  const Packing& packing_;
  std::int64_t rows_;             // of the state
  std::int64_t rows_before_ = 0;  // before the last sequences ended
  std::size_t endings_ = 0;       // how often the state has lost rows
  std::size_t finished_ = 0;      // tensors
  TensorList ended_;              // the rows that left at each ending, tensor by tensor
};

}  // namespace rw::detail
