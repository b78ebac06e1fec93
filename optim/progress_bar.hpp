#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace rw {

/// Seconds as minutes and seconds, rounded up: "1:05".
std::string minutes(double seconds);

/// How far a training has come, in the last line of a terminal:
///
///        lstm  [#########---------------------]  loss 0.12345   ETA 1:05
///
/// The line is made as short as the terminal is narrow: first the bar, then the end. The time that
/// is left is reckoned from what came after the first update, because the first step of a training
/// prepares what the others use. Draws nothing where the output is not a terminal. Erase it before
/// another line is written.
class ProgressBar {
 public:
  /// `output` may be null for none.
  explicit ProgressBar(std::string label, std::FILE* output = stdout);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { erase(); }

  /// After `step` of `steps` steps; draws at most ten times a second. `steps` 0: not known yet, so
  /// that there is neither a bar nor an ETA.
  void update(std::int64_t step, std::int64_t steps, double loss);
  void erase();
  /// Since it was made.
  double seconds() const;

  /// The line, when `step` of `steps` steps took `seconds`; without that, there is no ETA. It has
  /// at most `columns` columns.
  static std::string text(std::string_view label, std::int64_t step, std::int64_t steps,
                          double loss, std::optional<double> seconds,
                          std::size_t columns = std::numeric_limits<std::size_t>::max());

 private:
  std::string label_;
  std::FILE* output_;  // null: no terminal
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::int64_t first_step_ = -1;  // of the first update
  double first_at_ = 0;
  double drawn_at_ = -1;
  bool drawn_ = false;
};

}  // namespace rw
