#pragma once
// The loop of training. It does nothing that ten lines do not do as well; examples/trainer.cpp
// shows both side by side.
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
#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/history.hpp>
#include <rewind/optim/optimizer.hpp>
#include <rewind/optim/progress_bar.hpp>
#include <rewind/optim/reduce_on_plateau.hpp>

namespace rw {

/// The mean loss of a batch, and its weight in means over several batches: over how many examples,
/// tokens or whatever else it was taken.
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

/// How many examples a batch has, as far as one can see: the elements of a tensor of rank 1, which
/// holds their numbers, or size(); else 1.
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

/// What `step` makes of a batch, with its weight.
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

/// Throws UsageError: `range`, which has a size, is empty.
[[noreturn]] void fail_without_batches(std::string_view where);

}  // namespace detail

/// The mean of the losses that `step` returns for the batches, weighed as Trainer::fit() does;
/// nothing is recorded. Throws UsageError when there are none.
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
  std::optional<double> clip_norm = {};  ///< greatest norm of all gradients together
  /// Batches for one update: the gradient is the mean of theirs, weighed as fit() says, as that of
  /// one batch as large as all together. At the end of an epoch an update may have fewer.
  std::int64_t accumulate = 1;
  /// Measures after each epoch what counts, for example the loss of other data; nothing is
  /// recorded. Of several batches mean_loss() gives the mean. Without it, the mean loss of the
  /// epoch's batches counts.
  std::function<double()> validate = {};
  bool maximize = false;               ///< greater values are better
  double min_delta = 0;                ///< an improvement must be greater
  std::function<void()> on_best = {};  ///< after each epoch that is better than all before it
  /// Stop after so many epochs in a row without improvement.
  std::optional<std::int64_t> patience = {};
  /// Lower the learning rate when the value stops improving; `maximize` counts here too.
  std::optional<ReduceOnPlateauOptions> plateau = {};
  /// Asked before each epoch and after each update: whether to stop now, for example because Ctrl-C
  /// was pressed.
  std::function<bool()> stop = {};
  /// Gets lines about epochs, a last one that says why training ended and, if it is a terminal, a
  /// progress bar; null for nothing.
  std::FILE* output = stdout;
  /// Every so many epochs have a line, and the last, and each that is better than all before it; of
  /// several such in a row only the last. 0: about twenty lines.
  std::int64_t every = 0;
  std::string label = {};  ///< in front of every line
};

/// Trains whatever an optimiser's parameters belong to.
class Trainer {
 public:
  /// The optimiser must outlive it; its schedule and groups work as ever. Throws UsageError for
  /// options out of range.
  Trainer(Optimizer& optimizer, TrainerOptions options);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains for the epochs that are left. `batches` is what an epoch goes through: a range, such as
  /// Minibatches, or a function that returns one, called at the beginning of each epoch. For each
  /// batch, with a tape alive, `step(batch)` returns the loss, a single number; it is played back,
  /// gradients are clipped, and the optimiser updates the weights.
  ///
  /// In means over batches, which are the epoch's loss and the gradient with `accumulate`, a batch
  /// weighs as many examples as it has: the elements of a tensor of rank 1, as of Minibatches, or
  /// size(), as of a vector of examples and of BpttBatch. Where neither says it, all batches weigh
  /// the same: for batches of other kinds and losses that are means over tokens, let `step` return
  /// a WeightedLoss.
  ///
  /// Throws NonFiniteError when a loss or a gradient holds a NaN or an infinity, which says in
  /// which epoch and step and leaves the weights and the optimiser as the step before left them;
  /// UsageError when an epoch has no batch, a weight is not positive and finite, no parameter has a
  /// gradient, or it is called within itself; and whatever `step` throws.
  ///
  /// After an exception, or when it was stopped, another call goes on: where `batches` remembers
  /// its place and has position(), as Minibatches, with the batch after, otherwise with the epoch's
  /// first.
  template <class Batches, class Step>
  const History& fit(Batches&& batches, Step&& step);

  /// Epochs that were trained whole.
  std::int64_t epochs_done() const { return *epochs_.data<std::int64_t>(); }
  /// Whether `patience` ended the training.
  bool stopped_early() const;
  /// Whether the option `stop` ended the last fit().
  bool interrupted() const { return interrupted_; }
  /// Best value yet; infinity, or minus infinity when maximizing, before the first.
  double best() const { return stopping_.best(); }

  /// By epoch, from 1: "loss", the weighted mean over the batches; "validation"; "learning_rate",
  /// that of the epoch's last update. Not part of the state.
  const History& history() const { return history_; }
  /// For a training that was resumed: `history` goes on.
  void set_history(History history) { history_ = std::move(history); }

  /// "epochs", "batches", "loss" and "weight" of the epoch that is under way, "stopping/..",
  /// "plateau/..". A training that was saved after an update and loaded goes on bit for bit, if the
  /// optimiser and batches were saved and loaded too.
  StateList state() const;
  /// Those that have a part in what a step does or in which epoch is the best: not how many epochs
  /// there are, nor what is printed.
  OptionList options() const;
  /// Batches, and the sums over them, belong together.
  std::string fault_in(const StateList& values) const;

 private:
  /// fit() is under way until the end of the scope.
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
  History history_;
  Tensor epochs_;                       // done
  Tensor batches_;                      // of the epoch that is under way
  Tensor loss_;                         // the sum of their losses, each times its weight
  Tensor weight_;                       // the sum of their weights
  std::optional<ProgressBar> bar_;      // while fit() runs
  std::int64_t accumulated_ = 0;        // batches since the last update
  double first_weight_ = 1;             // of the first of them
  double accumulated_weight_ = 0;       // of all of them, as multiples of the first
  std::int64_t batches_per_epoch_ = 0;  // 0: not known yet
  std::int64_t batches_done_ = 0;       // since fit() began
  double learning_rate_ = 0;            // of the last update
  std::string kept_line_;               // of the best epoch, while the next may be better
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
      // What was stopped before had come to the end of an epoch.
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
  print_end();
  return history_;
}

}  // namespace rw
