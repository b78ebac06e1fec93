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

/// Shows the progress of training in the last line of a terminal:
///
///        lstm  [#########---------------------]  loss 0.12345   ETA 1:05
///
/// The line is shortened to fit the terminal: first the bar, then the end. The remaining time is
/// estimated from the steps after the first update, because the first step includes one-time setup.
/// Draws nothing if the output is not a terminal. Erase it before writing another line.
class ProgressBar {
 public:
  /// `output` may be null for none.
  explicit ProgressBar(std::string label, std::FILE* output = stdout);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { erase(); }

  /// Call it after `step` of `steps` steps; draws at most ten times a second. If `steps` is 0, not
  /// known yet, there is neither a bar nor an ETA.
  void update(std::int64_t step, std::int64_t steps, double loss);
  void erase();
  /// Seconds since construction.
  double seconds() const;

  /// The line after `step` of `steps` steps that took `seconds`; without `seconds`, there is no
  /// ETA. It has at most `columns` columns.
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
