#include <rewind/layers/decoder.hpp>

namespace rw {

Tensor shifted_targets(const Tensor& first, const Tensor& targets) {
  check<UsageError>(first.dtype() == DType::int64 && targets.dtype() == DType::int64,
                    "shifted_targets: first is {} and targets {}, expected int64",
                    name_of(first.dtype()), name_of(targets.dtype()));
  check_shape(targets.rank() == 2 && first.shape() == Shape{targets.size(1)},
              "shifted_targets: first is {} and targets {}, expected [B] and [T, B]", first.shape(),
              targets.shape());
  if (targets.size(0) == 0) {
    return targets;
  }
  return concat({unsqueeze(first, 0), slice(targets, 0, 0, targets.size(0) - 1)}, 0);
}

namespace detail {

void check_decoder_inputs(const Tensor& inputs, int rank) {
  check<UsageError>(inputs.dtype() == DType::int64, "decoder: tokens are {}, expected int64",
                    name_of(inputs.dtype()));
  check_shape(inputs.rank() == rank, "decoder: tokens are {}, expected {}", inputs.shape(),
              rank == 1 ? "[B], one for each sequence" : "[T, B], time first");
}

void check_decoder_memory(const DecoderOptions& options, bool attends) {
  check<UsageError>(
      attends == (options.memory > 0), "decoder: memory is {}, expected {}", options.memory,
      attends ? "the number of features that its attention attends to" : "0 without attention");
}

}  // namespace detail

}  // namespace rw
