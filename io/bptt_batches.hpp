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
//       state = detach(next);  // carry the values over, but no gradient
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
  std::int64_t batch = 1;  ///< number of columns: parts of the stream, side by side
  std::int64_t steps = 1;  ///< length of a chunk
  bool drop_last = false;  ///< leave out a shorter last chunk
};

/// One chunk. Its tensors are views of the stream's columns; do not write into them.
struct BpttBatch {
  Tensor x;            ///< [T, B] or [T, B, F]
  Tensor y;            ///< the same one step later in the stream
  bool first = false;  ///< the first chunk of the columns: start from the initial state

  /// Number of targets: steps times columns. The Trainer weights the chunk's loss by it.
  std::int64_t size() const { return x.size(0) * x.size(1); }
};

/// Chunks of a stream, epoch after epoch. A checkpoint can hold the position, as with Minibatches.
/// To resume in the middle of a stream, save the network's state too.
///
/// With N elements and batch B, column b holds the L = floor(N / B) elements from b L on; the
/// remainder at the end is left out. Chunk k holds steps k T to k T + T - 1 of every column, and
/// the next step of each as its target. So L - 1 steps have a target.
class BpttBatches {
 public:
  /// `stream` is [N] or [N, F, ..] of any type; it is copied. Throws UsageError for batch < 1 or
  /// steps < 1, ShapeError if a column would have fewer than two elements.
  BpttBatches(const Tensor& stream, const BpttOptions& options);

  /// Number of chunks in an epoch.
  std::int64_t size() const { return (cursor_.end() + options_.steps - 1) / options_.steps; }
  /// Number of complete epochs.
  std::int64_t epoch() const { return cursor_.epoch(); }
  /// Steps handed out in the current epoch.
  std::int64_t position() const { return cursor_.position(); }
  /// All columns, [L, B] or [L, B, F].
  const Tensor& columns() const { return columns_; }

  /// The next chunk; the last one of an epoch is followed by the first again. Throws UsageError if
  /// there are no chunks, or if the state was restored from a run over another stream or batch
  /// size.
  BpttBatch next();
  /// Back to the beginning of the stream.
  void restart() { cursor_.restart(); }

  /// Iterates to the end of the current epoch. After a `break`, the next loop continues there.
  auto begin() { return io::detail::EpochIterator<BpttBatches>(*this); }
  static std::default_sentinel_t end() { return std::default_sentinel; }

  /// "epoch", "position", and the numbers that must be the same on resuming, "elements" and "batch"
  /// (int64). They share storage with this object. Chunks may have another length after resuming.
  StateList state() const { return cursor_.state(); }
  /// The options that a checkpoint records: see options_of().
  OptionList options() const;

 private:
  BpttOptions options_;
  Tensor columns_;
  io::detail::EpochCursor cursor_;
};

BpttBatches bptt_batches(const Tensor& stream, const BpttOptions& options);
BpttBatches bptt_batches(const std::vector<std::int64_t>& tokens, const BpttOptions& options);

}  // namespace rw
