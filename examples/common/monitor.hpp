#pragma once

#include <cstdint>
#include <string>

#include <rewind/optim/progress_bar.hpp>

#include "common/training_progress.hpp"

namespace examples {

/// Follows a training run: a progress bar on a terminal, a line per epoch (of many epochs, about
/// every twentieth part), a curve. A silent one prints nothing.
class Monitor {
 public:
  Monitor(std::string label, std::int64_t epochs, std::int64_t steps_per_epoch,
          bool silent = false);

  /// After each step of training.
  void step(const Score& score);
  /// After each epoch, whole or not.
  void end_epoch();
  /// After training: the last epoch gets its line, whatever its number.
  void finish();

  bool done() const { return progress_.curve.epochs >= epochs_; }
  /// Of the last epoch.
  const Score& score() const { return progress_.last_epoch; }
  /// How many epochs in a row, up to the last, had no wrong answer.
  std::int64_t epochs_without_error() const { return progress_.epochs_without_error; }
  /// Steps since the last epoch.
  std::int64_t steps_in_epoch() const {
    return progress_.steps - progress_.curve.epochs * steps_per_epoch_;
  }
  const Curve& curve() const { return progress_.curve; }
  /// What a training that is taken up again has to restore.
  TrainingProgress& progress() { return progress_; }

 private:
  void print_epoch();

  std::int64_t epochs_;
  std::int64_t steps_per_epoch_;
  std::int64_t steps_per_point_;
  bool silent_;
  std::int64_t printed_epoch_ = 0;
  TrainingProgress progress_;
  rw::ProgressBar bar_;
};

}  // namespace examples
