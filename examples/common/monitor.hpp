#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rewind/optim/progress_bar.hpp>

namespace examples {

/// Mean loss and share of right answers over any number of predictions.
class Score {
 public:
  /// Adds `count` predictions with mean loss `loss`, `right` of which were right.
  void add(double loss, double right, std::int64_t count) {
    loss_ += loss * static_cast<double>(count);
    right_ += right;
    count_ += static_cast<double>(count);
  }
  void add(const Score& other) {
    loss_ += other.loss_;
    right_ += other.right_;
    count_ += other.count_;
  }

  double loss() const { return count_ > 0 ? loss_ / count_ : 0.0; }
  /// From 0 to 1.
  double accuracy() const { return count_ > 0 ? right_ / count_ : 0.0; }
  double wrong() const { return count_ - right_; }
  double count() const { return count_; }

 private:
  double loss_ = 0;
  double right_ = 0;
  double count_ = 0;
};

/// "100.00 %"; never rounded up to 100, so that one wrong answer in a million shows.
std::string percent(double share);

/// What one training run gave, to be drawn.
struct Curve {
  struct Point {
    double epoch, loss, accuracy;
  };
  std::string label;
  std::vector<Point> points;
  std::int64_t epochs = 0;  // that were trained, the last perhaps in part
};

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

  bool done() const { return curve_.epochs >= epochs_; }
  /// Of the last epoch.
  const Score& score() const { return last_epoch_; }
  /// How many epochs in a row, up to the last, had no wrong answer.
  std::int64_t epochs_without_error() const { return without_error_; }
  const Curve& curve() const { return curve_; }

 private:
  void print_epoch();

  std::int64_t epochs_;
  std::int64_t steps_per_epoch_;
  std::int64_t steps_per_point_;
  bool silent_;
  std::int64_t step_ = 0;
  std::int64_t points_at_step_ = 0;
  std::int64_t printed_epoch_ = 0;
  std::int64_t without_error_ = 0;
  Score in_epoch_;
  Score last_epoch_;
  Score in_point_;
  Curve curve_;
  rw::ProgressBar bar_;
};

}  // namespace examples
