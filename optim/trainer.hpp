#pragma once
// The training loop. It does no more than ten lines of code; examples/trainer.cpp shows both side
// by side.
//
//     Trainer trainer(optimizer, {.epochs = 20,
//                                 .clip_norm = 1.0,
//                                 .validate = [&] { return mse(model(x), y).item(); },
//                                 .on_best = [&] { io::save("best.h5", "model", model); },
//                                 .patience = 5});
//     trainer.fit(batches, [&](const Tensor& batch) {
//       return mse(model(index_select(inputs, batch)), index_select(targets, batch));
//     });
//     io::write_csv("history.csv", trainer.history());

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/state.hpp>
#include <rewind/optim/autosave.hpp>
#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/history.hpp>
#include <rewind/optim/optimizer.hpp>
#include <rewind/optim/progress_bar.hpp>
#include <rewind/optim/reduce_on_plateau.hpp>

namespace rw {

/// The mean loss of a batch, and its weight in means over several batches: the number of examples,
/// tokens or other terms in the mean.
///
///     trainer.fit(batches, [&](const Batch& batch) -> WeightedLoss {
///       return {sequence_cross_entropy(model(batch.x), batch.y, batch.lengths), batch.tokens};
///     });
struct WeightedLoss {
  template <class Number>
  requires std::is_arithmetic_v<Number> WeightedLoss(Tensor mean, Number number)
      : loss(std::move(mean)), weight(static_cast<double>(number)) {}

  Tensor loss;
  double weight;
};

namespace detail {

/// The number of examples in a batch, if known: the elements of a tensor of rank 1 (their indices),
/// or size(); otherwise 1.
template <class Batch>
double weight_of(Batch& batch) {
  if constexpr (std::same_as<std::remove_const_t<Batch>, Tensor>) {
    return batch.rank() == 1 ? static_cast<double>(batch.elements()) : 1;
  } else if constexpr (requires { static_cast<double>(batch.size()); }) {
    return static_cast<double>(batch.size());
  } else {
    return 1;
  }
}

/// The loss that `step` returns for a batch, with its weight.
template <class Step, class Batch>
WeightedLoss weighted_loss(Step& step, Batch& batch) {
  if constexpr (std::same_as<std::remove_cvref_t<decltype(step(batch))>, WeightedLoss>) {
    return step(batch);
  } else {
    return {step(batch), weight_of(batch)};
  }
}

/// Throws UsageError unless the loss is one number, and its weight positive and finite.
double checked_loss(std::string_view who, const WeightedLoss& loss);

/// Throws UsageError for an empty range of batches; `where` starts the message.
[[noreturn]] void fail_without_batches(std::string_view where);

}  // namespace detail

/// The mean of the losses that `step` returns for the batches, weighted as in Trainer::fit();
/// nothing is recorded. Throws UsageError when there are no batches.
///
///     .validate = [&] { return mean_loss(held_out, loss_of); }
template <class Batches, class Step>
double mean_loss(Batches&& batches, Step&& step) {
  const StopRecording no_tape;
  double sum = 0;
  double weight = 0;
  for (auto&& batch : batches) {
    const WeightedLoss loss = detail::weighted_loss(step, batch);
    sum += loss.weight * detail::checked_loss("mean_loss", loss);
    weight += loss.weight;
  }
  if (weight == 0) {
    detail::fail_without_batches("mean_loss: there is no batch");
  }
  return sum / weight;
}

struct TrainerOptions {
  std::int64_t epochs = 1;
  std::optional<double> clip_norm = {};  ///< maximum norm of all gradients together
  /// Batches per update: the gradient is their weighted mean (see fit()), as for one batch as large
  /// as all together. The last update of an epoch may have fewer.
  std::int64_t accumulate = 1;
  /// Returns the value to improve, called after each epoch, for example the loss on validation
  /// data; nothing is recorded. For several batches use mean_loss(). Without it, the value is the
  /// mean loss of the epoch's batches.
  std::function<double()> validate = {};
  bool maximize = false;               ///< greater values are better
  double min_delta = 0;                ///< an improvement must be greater than this
  std::function<void()> on_best = {};  ///< called after each epoch that is the best so far
  /// Stop after this many consecutive epochs without improvement.
  std::optional<std::int64_t> patience = {};
  /// Lower the learning rate when the value stops improving; `maximize` applies here too.
  std::optional<ReduceOnPlateauOptions> plateau = {};
  /// Saves the run at intervals, at the end and when it is interrupted, so that another process can
  /// continue it:
  ///
  ///     .checkpoints = {.save = [&] { directory.save("model", model, "trainer", *trainer,
  ///                                                  "optimizer", optimizer, "batches", batches);
  ///                                                  },
  ///                     .every_minutes = 5}
  AutosaveOptions checkpoints = {};
  /// Whether to stop now, for example because Ctrl-C was pressed. Called before each epoch and
  /// after each update.
  std::function<bool()> stop = {};
  /// Receives lines about epochs, a last line that says why training ended and, if it is a
  /// terminal, a progress bar; null for no output.
  std::FILE* output = stdout;
  /// Prints a line every so many epochs, for the last epoch, and for each that is the best so far;
  /// of several best epochs in a row only for the last. 0: about twenty lines.
  std::int64_t every = 0;
  std::string label = {};  ///< in front of every line
};

/// Trains the model whose parameters the optimiser has.
class Trainer {
 public:
  /// The optimiser must outlive it; its schedule and groups work as usual. Throws UsageError for
  /// options out of range.
  Trainer(Optimizer& optimizer, TrainerOptions options);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains for the remaining epochs. `batches` are the batches of an epoch: a range, such as
  /// Minibatches, or a function that returns one, called at the beginning of each epoch. For each
  /// batch, with a tape alive, `step(batch)` returns the loss, a single number; then the backward
  /// pass runs, gradients are clipped, and the optimiser updates the weights.
  ///
  /// In means over batches (the epoch's loss, and the gradient with `accumulate`), the weight of a
  /// batch is its number of examples: the elements of a tensor of rank 1, as from Minibatches, or
  /// size(), as of a vector of examples and of BpttBatch. Batches with neither have equal weights.
  /// For other kinds of batches, and for losses that are means over tokens, let `step` return a
  /// WeightedLoss.
  ///
  /// Throws NonFiniteError, naming epoch and step, when a loss or a gradient contains a NaN or an
  /// infinity; the weights and the optimiser are then those of the previous step; UsageError when
  /// an epoch has no batch, a weight is not positive and finite, no parameter has a gradient, or
  /// fit() is already running; and whatever `step` throws.
  ///
  /// After an exception or a stop, another call continues: with the next batch if `batches` keeps
  /// its position() as Minibatches does, otherwise with the first batch of the epoch.
  template <class Batches, class Step>
  const History& fit(Batches&& batches, Step&& step);

  /// Number of completed epochs.
  std::int64_t epochs_done() const { return *epochs_.data<std::int64_t>(); }
  /// Whether `patience` ended the training.
  bool stopped_early() const;
  /// Whether the option `stop` ended the last fit().
  bool interrupted() const { return interrupted_; }
  /// Best value so far; infinity, or minus infinity when maximizing, before the first epoch.
  double best() const { return stopping_.best(); }

  /// By epoch, from 1: "loss", the weighted mean over the batches; "validation"; "learning_rate",
  /// that of the epoch's last update. Not part of the state.
  const History& history() const { return history_; }
  /// For a training that was resumed: `history` goes on.
  void set_history(History history) { history_ = std::move(history); }

  /// "epochs", "batches", "loss" and "weight" of the current epoch, "learning_rate" of the last
  /// update, "stopping/..", "plateau/..".
  /// Training that was saved after an update and loaded continues bitwise identically, if the
  /// optimiser and batches were saved and loaded too.
  StateList state() const;
  /// Those that have a part in what a step does or in which epoch is the best: not how many epochs
  /// there are, nor what is printed.
  OptionList options() const;
  /// Batches, and the sums over them, belong together.
  std::string fault_in(const StateList& values) const;

 private:
  /// Marks fit() as running until the end of the scope.
  class Running {
   public:
    explicit Running(Trainer& trainer);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Trainer& trainer_;
  };

  template <class Range, class Step>
  void train_epoch(Range&& range, Step& step);

  std::int64_t epoch() const { return epochs_done() + 1; }
  std::int64_t batches() const { return *batches_.data<std::int64_t>(); }
  bool goes_on();
  void forget_epoch();
  /// The five steps for one batch; false when it is time to stop.
  bool train_on(const std::function<WeightedLoss()>& step);
  void update();
  void end_epoch();
  void draw_bar();
  void print_epoch(double loss, const std::optional<double>& validation);
  void print_kept_line();
  void print_end();
  [[noreturn]] void fail_non_finite(const std::string& what) const;

  Optimizer& optimizer_;
  TrainerOptions options_;
  EarlyStopping stopping_;
  std::optional<ReduceOnPlateau> plateau_;
  Autosave autosave_;
  History history_;
  Tensor epochs_;                       // done
  Tensor batches_;                      // of the current epoch
  Tensor loss_;                         // the sum of their losses, each times its weight
  Tensor weight_;                       // the sum of their weights
  Tensor learning_rate_;                // of the last update
  std::optional<ProgressBar> bar_;      // while fit() runs
  std::int64_t accumulated_ = 0;        // batches since the last update
  double first_weight_ = 1;             // of the first of them
  double accumulated_weight_ = 0;       // of all of them, as multiples of the first
  std::int64_t batches_per_epoch_ = 0;  // 0: not known yet
  std::int64_t batches_done_ = 0;       // since fit() began
  std::string kept_line_;               // of the best epoch, dropped if the next is better
  bool interrupted_ = false;
};

template <class Range, class Step>
void Trainer::train_epoch(Range&& range, Step& step) {
  if constexpr (requires { range.size(); }) {
    batches_per_epoch_ = static_cast<std::int64_t>(range.size());
    if (batches_per_epoch_ == 0) {
      detail::fail_without_batches("trainer: there is no batch in epoch " +
                                   std::to_string(epoch()));
    }
  }
  if constexpr (requires { range.position(); }) {
    if (batches() > 0 && range.position() == 0) {
      // The previous call was stopped at the end of an epoch.
      end_epoch();
      return;
    }
  } else {
    forget_epoch();
  }
  for (auto&& batch : range) {
    if (!train_on([&] { return detail::weighted_loss(step, batch); })) {
      return;
    }
  }
  end_epoch();
}

template <class Batches, class Step>
const History& Trainer::fit(Batches&& batches, Step&& step) {
  const Running running(*this);
  while (goes_on()) {
    if constexpr (std::ranges::range<Batches>) {
      train_epoch(batches, step);
    } else {
      train_epoch(batches(), step);
    }
  }
  autosave_.finish();
  print_end();
  return history_;
}

}  // namespace rw
