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

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <ranges>
#include <string>

#include <rewind/autograd/history.hpp>
#include <rewind/autograd/state.hpp>
#include <rewind/autograd/tape.hpp>
#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/optimizer.hpp>
#include <rewind/optim/progress_bar.hpp>
#include <rewind/optim/reduce_on_plateau.hpp>

namespace rw {

struct TrainerOptions {
  std::int64_t epochs = 1;
  std::optional<double> clip_norm = {};  ///< greatest norm of all gradients together
  /// Batches for one update: the gradient is the mean of theirs, as that of one batch as large as
  /// all together. At the end of an epoch an update may have fewer.
  std::int64_t accumulate = 1;
  /// Measures after each epoch what counts, for example the loss of other data; nothing is
  /// recorded. Without it, the mean loss of the epoch's batches counts.
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
  /// Gets a line for each epoch and, if it is a terminal, a progress bar; null for neither.
  std::FILE* output = stdout;
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
  /// Throws NonFiniteError when a loss or a gradient holds a NaN or an infinity, which says in
  /// which epoch and step and leaves the weights and the optimiser as the step before left them;
  /// UsageError when an epoch has no batch or is called within itself; and whatever `step` throws.
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

  /// By epoch, from 1: "loss", the mean over the batches; "validation"; "learning_rate", that of
  /// the epoch's last update. Not part of the state.
  const History& history() const { return history_; }

  /// "epochs", "batches" and "loss" of the epoch that is under way, "stopping/..", "plateau/..". A
  /// training that was saved after an update and loaded goes on bit for bit, if the optimiser and
  /// batches were saved and loaded too.
  StateList state() const;

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
  bool train_on(const std::function<Tensor()>& step);
  void update();
  void end_epoch();
  void draw_bar();
  void print_epoch(double loss, const std::optional<double>& validation) const;
  [[noreturn]] void fail_non_finite(const std::string& what) const;

  Optimizer& optimizer_;
  TrainerOptions options_;
  EarlyStopping stopping_;
  std::optional<ReduceOnPlateau> plateau_;
  History history_;
  Tensor epochs_;                       // done
  Tensor batches_;                      // of the epoch that is under way
  Tensor loss_;                         // their sum
  std::optional<ProgressBar> bar_;      // while fit() runs
  std::int64_t accumulated_ = 0;        // batches since the last update
  std::int64_t batches_per_epoch_ = 0;  // 0: not known yet
  std::int64_t batches_done_ = 0;       // since fit() began
  double learning_rate_ = 0;            // of the last update
  bool interrupted_ = false;
};

template <class Range, class Step>
void Trainer::train_epoch(Range&& range, Step& step) {
  if constexpr (requires { range.size(); }) {
    batches_per_epoch_ = static_cast<std::int64_t>(range.size());
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
    if (!train_on([&] { return step(batch); })) {
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
  return history_;
}

}  // namespace rw
