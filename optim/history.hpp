#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/autograd/tensor/state.hpp>

namespace rw {

/// The record of a training run: named series of values by step, in the order in which they began.
/// A plain value; io/history_files.hpp writes it as a table and plots it.
///
///     history.add("loss", epoch, loss);
class History {
 public:
  struct Point {
    std::int64_t step = 0;
    double value = 0;
    friend bool operator==(const Point&, const Point&) = default;
  };
  struct Series {
    std::string name;
    std::vector<Point> points;
    friend bool operator==(const Series&, const Series&) = default;
  };

  /// Throws UsageError unless `step` is greater than the series' last one.
  void add(std::string_view name, std::int64_t step, double value);

  /// Erases all values from `step` on, for example to train again from there.
  void erase_from(std::int64_t step);

  const std::vector<Series>& series() const { return series_; }
  bool empty() const { return series_.empty(); }
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// Throws UsageError when there is no such series.
  const std::vector<Point>& operator[](std::string_view name) const;
  /// The last value of a series. Throws UsageError when there is no such series.
  double last(std::string_view name) const { return (*this)[name].back().value; }

  /// "names": the bytes of the series' names, -1 after each; "lengths", how many points they have;
  /// "steps" (int64) and "values" (float64) of all series, one after another. All are [n].
  StateList to_state() const;
  /// The history that gave `values`. Throws CheckpointError where none can have.
  static History from_state(const StateList& values);

  friend bool operator==(const History&, const History&) = default;

 private:
  const Series* find(std::string_view name) const;

  std::vector<Series> series_;
};

}  // namespace rw
