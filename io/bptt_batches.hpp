#pragma once
// A long stream cut into chunks for truncated back-propagation through time.
//
//     BpttBatches chunks = bptt_batches(tokens, {.batch = 20, .steps = 35});
//     for (const BpttBatch& chunk : chunks) {
//       if (chunk.first) state = lstm.initial_state(20);
//       Tape tape;
//       auto [y, next] = lstm(table(chunk.x), state);
//       Tensor loss = cross_entropy(head(y), chunk.y);
//       ...
//       state = detach(next);  // the values go on, the gradient does not
//     }

#include <cstdint>
#include <iterator>
#include <vector>

#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/autograd/tensor/state.hpp>
#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/io/detail/epoch_cursor.hpp>

namespace rw {

struct BpttOptions {
  std::int64_t batch = 1;  ///< columns, parts of the stream side by side
  std::int64_t steps = 1;  ///< length of a chunk
  bool drop_last = false;  ///< leave out a last chunk that is shorter
};

/// One chunk. Its tensors are views of the stream's columns; do not write into them.
struct BpttBatch {
  Tensor x;            ///< [T, B] or [T, B, F]
  Tensor y;            ///< the same one step later in the stream
  bool first = false;  ///< begins the columns, so that the state begins anew

  /// Number of targets, steps times columns: by which the Trainer weighs a chunk.
  std::int64_t size() const { return x.size(0) * x.size(1); }
};

/// Chunks of a stream, epoch after epoch, with a cursor that a checkpoint can hold; see
/// Minibatches. To resume in the middle of a stream, save the network's state too.
///
/// With N elements and batch B, column b holds the L = floor(N / B) elements from b L on; what is
/// left over at the end is trimmed. Chunk k holds steps k T to k T + T - 1 of every column, and as
/// targets the steps after them; so there are L - 1 steps with a target.
class BpttBatches {
 public:
  /// `stream` is [N] or [N, F, ..] of any type; it is copied. Throws UsageError for batch < 1 or
  /// steps < 1, ShapeError when a column would have less than two elements.
  BpttBatches(const Tensor& stream, const BpttOptions& options);

  /// Number of chunks in an epoch.
  std::int64_t size() const { return (cursor_.end() + options_.steps - 1) / options_.steps; }
  /// Epochs that were handed out whole.
  std::int64_t epoch() const { return cursor_.epoch(); }
  /// Steps handed out of the epoch that is under way.
  std::int64_t position() const { return cursor_.position(); }
  /// All columns, [L, B] or [L, B, F].
  const Tensor& columns() const { return columns_; }

  /// The next chunk; after the last one of an epoch comes the first again. Throws UsageError when
  /// there are none, or the state was restored from a run over another stream or batch.
  BpttBatch next();
  /// Back to the beginning of the stream.
  void restart() { cursor_.restart(); }

  /// Goes to the end of the epoch that is under way; after a break, the next loop goes on there.
  auto begin() { return io::detail::EpochIterator<BpttBatches>(*this); }
  static std::default_sentinel_t end() { return std::default_sentinel; }

  /// "epoch", "position", and the numbers that must fit, "elements" and "batch" (int64); they share
  /// storage. Chunks may have another length after resuming.
  StateList state() const { return cursor_.state(); }
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;

 private:
  BpttOptions options_;
  Tensor columns_;
  io::detail::EpochCursor cursor_;
};

BpttBatches bptt_batches(const Tensor& stream, const BpttOptions& options);
BpttBatches bptt_batches(const std::vector<std::int64_t>& tokens, const BpttOptions& options);

}  // namespace rw
