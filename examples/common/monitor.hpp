#pragma once

#include <cstdint>
#include <string>

#include <rewind/optim/progress_bar.hpp>

#include "common/training_progress.hpp"

namespace examples {

/// Follows a training run with a progress bar on a terminal, a line per epoch (about twenty lines
/// if there are many epochs) and a curve. A silent monitor prints nothing.
class Monitor {
 public:
  Monitor(std::string label, std::int64_t epochs, std::int64_t steps_per_epoch,
          bool silent = false);

  /// Call it after each training step.
  void step(const Score& score);
  /// Call it after each epoch, even an incomplete one.
  void end_epoch();
  /// Call it after training: prints the line of the last epoch if that was skipped.
  void finish();

  bool done() const { return progress_.curve.epochs >= epochs_; }
  /// The score of the last epoch.
  const Score& score() const { return progress_.last_epoch; }
  /// How many of the last epochs in a row had no wrong answer.
  std::int64_t epochs_without_error() const { return progress_.epochs_without_error; }
  /// Steps since the last epoch.
  std::int64_t steps_in_epoch() const {
    return progress_.steps - progress_.curve.epochs * steps_per_epoch_;
  }
  const Curve& curve() const { return progress_.curve; }
  /// What a resumed training has to restore.
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
