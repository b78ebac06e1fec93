#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <rewind/autograd/tensor/state.hpp>

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
  /// Share of right answers, from 0 to 1.
  double accuracy() const { return count_ > 0 ? right_ / count_ : 0.0; }
  double wrong() const { return count_ - right_; }
  double count() const { return count_; }

  /// The sums behind the score, to be saved.
  std::array<double, 3> numbers() const { return {loss_, right_, count_}; }
  static Score from(const double* numbers) {
    Score score;
    score.loss_ = numbers[0];
    score.right_ = numbers[1];
    score.count_ = numbers[2];
    return score;
  }

 private:
  double loss_ = 0;
  double right_ = 0;
  double count_ = 0;
};

/// "99.99 %"; never rounded up to 100, so that one wrong answer in a million shows.
std::string percent(double share);

/// The course of one training run, to be drawn.
struct Curve {
  struct Point {
    double epoch, loss, accuracy;
  };
  std::string label;
  std::vector<Point> points;
  std::int64_t epochs = 0;  // epochs trained, including a last incomplete one
};

/// How far a training run has come, and its course up to there.
struct TrainingProgress {
  std::int64_t steps = 0;
  std::int64_t steps_at_point = 0;  // at the curve's last point
  std::int64_t epochs_without_error = 0;
  Score in_epoch;
  Score last_epoch;
  Score in_point;
  Curve curve;

  /// For a checkpoint; the curve's label is not part of it.
  rw::StateList to_state() const;
  /// Throws CheckpointError for impossible entries.
  static TrainingProgress from_state(const rw::StateList& values);
};

}  // namespace examples
