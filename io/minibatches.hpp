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
  bool shuffle = true;      ///< another order in every epoch
  bool drop_last = false;   ///< leave the examples out that do not fill a batch
  /// For batches of similar lengths: so many batches are drawn at random and sorted together. More
  /// makes lengths more similar, fewer makes batches more random.
  std::int64_t pool = 100;
};

/// Batches of example numbers, epoch after epoch. The order of an epoch is a function of the seed
/// and the epoch's number, the same on every machine.
///
/// The cursor moves when a batch is handed out. So a checkpoint written at the end of a training
/// step continues, in the middle of an epoch too, with the batch after it, bit for bit:
///
///     io::save("run.h5", "model", model, "optimizer", optimizer, "batches", batches);
class Minibatches {
 public:
  /// Batches of the numbers 0, ..., examples - 1. Throws UsageError for examples < 0, batch < 1 or
  /// pool < 1.
  Minibatches(std::int64_t examples, const MinibatchOptions& options, std::uint64_t seed);
  /// The same; draws the seed.
  Minibatches(std::int64_t examples, const MinibatchOptions& options, Rng& rng);

  /// Batches of the examples with these numbers, such as split.train: an epoch hands out each as
  /// often as it stands in the list. Throws UsageError for a negative number.
  static Minibatches over(std::vector<std::int64_t> examples, const MinibatchOptions& options,
                          std::uint64_t seed);
  static Minibatches over(std::vector<std::int64_t> examples, const MinibatchOptions& options,
                          Rng& rng);

  /// Batches of examples of similar lengths, so that little is padded: `lengths` of all examples.
  /// In each epoch, pools of random examples are sorted by length and cut into batches, which come
  /// in random order. Without shuffling, batches come in order of length.
  static Minibatches by_length(std::vector<std::int64_t> lengths, const MinibatchOptions& options,
                               std::uint64_t seed);
  static Minibatches by_length(std::vector<std::int64_t> lengths, const MinibatchOptions& options,
                               Rng& rng);

  /// Number of batches in an epoch.
  std::int64_t size() const { return cursor_.end(); }
  /// Epochs that were handed out whole.
  std::int64_t epoch() const { return cursor_.epoch(); }
  /// Batches handed out of the epoch that is under way.
  std::int64_t position() const { return cursor_.position(); }

  /// The next batch: int64 [b], b = batch but for the last one. After the last of an epoch comes
  /// the first of the next. Throws UsageError when there are no batches, or the state was restored
  /// from a run with another number of examples or another size of batches.
  Tensor next();
  /// Back to the beginning of the epoch that is under way.
  void restart() { cursor_.restart(); }

  /// Goes to the end of the epoch that is under way; after a break, the next loop goes on there.
  auto begin() { return io::detail::EpochIterator<Minibatches>(*this); }
  static std::default_sentinel_t end() { return std::default_sentinel; }

  /// "seed", "epoch", "position", and the numbers that must fit, "examples" and "batch" (int64);
  /// they share storage.
  StateList state() const;
  /// What the order of an epoch depends on. Of lists of lengths and numbers, a digest.
  OptionList options() const;

 private:
  Minibatches(std::int64_t examples, std::vector<std::int64_t> lengths,
              const MinibatchOptions& options, std::uint64_t seed);
  void arrange_epoch();

  std::int64_t examples_;
  std::vector<std::int64_t> lengths_;  // empty: batches of any lengths
  std::vector<std::int64_t> chosen_;   // the numbers to hand out; empty: 0, ..., examples - 1
  MinibatchOptions options_;
  io::detail::EpochCursor cursor_;
  Tensor seed_;
  // The epoch whose order is kept; the state may be restored at any time.
  std::int64_t arranged_seed_ = 0;
  std::int64_t arranged_epoch_ = -1;
  std::vector<std::int64_t> order_;    // all examples, batch after batch
  std::vector<std::int64_t> batches_;  // which batch is the first, second, ...
};

/// The examples that a batch names, copied: examples_at(sentences, batch).
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
