#pragma once
// Which examples make up the next batch.
//
//     Minibatches batches(dataset.size(0), {.batch = 32}, rng);
//     while (batches.epoch() < 10) {
//       for (const Tensor& batch : batches) {
//         Tensor x = index_select(dataset, batch);
//         ...
//       }
//     }

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/state.hpp>
#include <rewind/io/detail/epoch_cursor.hpp>

namespace rw {

struct MinibatchOptions {
  std::int64_t batch = 32;  ///< examples in a batch
  bool shuffle = true;      ///< a new order in every epoch
  bool drop_last = false;   ///< leave out the examples that do not fill a batch
  /// For by_length(): how many batches are drawn at random and sorted together. More makes the
  /// lengths in a batch more similar, fewer makes the batches more random.
  std::int64_t pool = 100;
};

/// Batches of example numbers, epoch after epoch. The order of an epoch is a function of the seed
/// and the epoch's number, the same on every machine.
///
/// The cursor moves when a batch is handed out. So a run that resumes from a checkpoint written at
/// the end of a training step continues with the next batch, bit for bit, even in the middle of an
/// epoch:
///
///     io::save("run.h5", "model", model, "optimizer", optimizer, "batches", batches);
class Minibatches {
 public:
  /// Batches of the numbers 0, ..., examples - 1. Throws UsageError for examples < 0, batch < 1 or
  /// pool < 1.
  Minibatches(std::int64_t examples, const MinibatchOptions& options, std::uint64_t seed);
  /// The same with a seed drawn from `rng`.
  Minibatches(std::int64_t examples, const MinibatchOptions& options, Rng& rng);

  /// Batches of the examples with these numbers, such as split.train. An epoch hands out each
  /// number as often as the list holds it. Throws UsageError for a negative number.
  static Minibatches over(std::vector<std::int64_t> examples, const MinibatchOptions& options,
                          std::uint64_t seed);
  static Minibatches over(std::vector<std::int64_t> examples, const MinibatchOptions& options,
                          Rng& rng);

  /// Batches of examples of similar lengths, which need little padding. `lengths` holds the lengths
  /// of all examples. In each epoch, pools of random examples are sorted by length and cut into
  /// batches, which come in random order. Without shuffling, batches come in order of length.
  static Minibatches by_length(std::vector<std::int64_t> lengths, const MinibatchOptions& options,
                               std::uint64_t seed);
  static Minibatches by_length(std::vector<std::int64_t> lengths, const MinibatchOptions& options,
                               Rng& rng);

  /// Number of batches in an epoch.
  std::int64_t size() const { return cursor_.end(); }
  /// Number of complete epochs.
  std::int64_t epoch() const { return cursor_.epoch(); }
  /// Batches handed out in the current epoch.
  std::int64_t position() const { return cursor_.position(); }

  /// The next batch: int64 [b], where b = batch except for the last one. The last batch of an epoch
  /// is followed by the first of the next. Throws UsageError if there are no batches, or if the
  /// state was restored from a run with another number of examples or another batch size.
  Tensor next();
  /// Back to the beginning of the current epoch.
  void restart() { cursor_.restart(); }

  /// Iterates to the end of the current epoch. After a `break`, the next loop continues there.
  auto begin() { return io::detail::EpochIterator<Minibatches>(*this); }
  static std::default_sentinel_t end() { return std::default_sentinel; }

  /// "seed", "epoch", "position", and the numbers that must be the same on resuming, "examples" and
  /// "batch" (int64). They share storage with this object.
  StateList state() const;
  /// What the order of an epoch depends on; lists of lengths and of numbers appear as a digest.
  OptionList options() const;

 private:
  Minibatches(std::int64_t examples, std::vector<std::int64_t> lengths,
              const MinibatchOptions& options, std::uint64_t seed);
  void arrange_epoch();

  std::int64_t examples_;
  std::vector<std::int64_t> lengths_;  // empty: batches of arbitrary lengths
  std::vector<std::int64_t> chosen_;   // the numbers to hand out; empty: 0, ..., examples - 1
  MinibatchOptions options_;
  io::detail::EpochCursor cursor_;
  Tensor seed_;
  // The epoch that is arranged below. The state may be restored at any time, so next() compares.
  std::int64_t arranged_seed_ = 0;
  std::int64_t arranged_epoch_ = -1;
  std::vector<std::int64_t> order_;    // all examples, batch after batch
  std::vector<std::int64_t> batches_;  // which batch is the first, second, ...
};

/// Copies of the examples that a batch names: examples_at(sentences, batch).
template <class Example>
std::vector<Example> examples_at(const std::vector<Example>& examples, const Tensor& batch) {
  const std::vector<std::int64_t> numbers = batch.to_vector<std::int64_t>();
  std::vector<Example> chosen;
  chosen.reserve(numbers.size());
  for (const std::int64_t number : numbers) {
    check_shape(0 <= number && number < static_cast<std::int64_t>(examples.size()),
                "examples_at: got the number {}, expected 0 to {}", number,
                static_cast<std::int64_t>(examples.size()) - 1);
    chosen.push_back(examples[static_cast<std::size_t>(number)]);
  }
  return chosen;
}

}  // namespace rw
