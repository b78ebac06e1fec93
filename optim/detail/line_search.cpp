#include <algorithm>
#include <cmath>
#include <utility>

#include <rewind/optim/detail/line_search.hpp>

namespace rw::detail {
namespace {

/// The minimum of the cubic with the values and slopes of two points; NaN if it has none (Nocedal
/// and Wright, equation 3.59).
double cubic_minimum(const LinePoint& a, const LinePoint& b) {
  const double d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t);
  const double d2 = std::copysign(std::sqrt(d1 * d1 - a.slope * b.slope), b.t - a.t);
  return b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
}

bool is_finite(const LinePoint& point) {
  return std::isfinite(point.f) && std::isfinite(point.slope);
}

class Search {
 public:
  Search(const std::function<LinePoint(double)>& evaluate, const LinePoint& start,
         const WolfeConditions& conditions, std::int64_t evaluations)
      : evaluate_(evaluate), start_(start), conditions_(conditions), evaluations_(evaluations) {}

  /// Increases the step until two points are known to bracket a good one.
  LinePoint run(double t) {
    LinePoint previous = start_;
    while (evaluations_ > 0) {
      LinePoint current = sample(t);
      if (is_too_high(current) || (previous.t > 0 && current.f >= previous.f)) {
        return zoom(std::move(previous), std::move(current));
      }
      if (is_flat(current)) {
        return current;
      }
      if (current.slope >= 0) {
        return zoom(std::move(current), std::move(previous));
      }
      const double next = cubic_minimum(previous, current);
      const double least = current.t + 0.01 * (current.t - previous.t);
      const double most = 10 * current.t;
      t = std::isnan(next) ? most : std::clamp(next, least, most);
      previous = std::move(current);
    }
    return previous;
  }

 private:
  LinePoint sample(double t) {
    --evaluations_;
    return evaluate_(t);
  }
  bool is_too_high(const LinePoint& point) const {
    return !is_finite(point) || point.f > start_.f + conditions_.decrease * point.t * start_.slope;
  }
  bool is_flat(const LinePoint& point) const {
    return std::abs(point.slope) <= -conditions_.curvature * start_.slope;
  }

  /// Narrows the interval between `low`, the lowest point with sufficient decrease, and `high`, so
  /// that it always contains a good step.
  LinePoint zoom(LinePoint low, LinePoint high) {
    while (evaluations_ > 0) {
      const double width = high.t - low.t;
      const double middle = low.t + width / 2;
      if (middle == low.t || middle == high.t) {
        break;
      }
      double t = is_finite(high) ? cubic_minimum(low, high) : middle;
      const auto [left, right] = std::minmax({low.t + 0.1 * width, high.t - 0.1 * width});
      t = std::isnan(t) ? middle : std::clamp(t, left, right);
      LinePoint current = sample(t);
      if (is_too_high(current) || current.f >= low.f) {
        high = std::move(current);
        continue;
      }
      if (is_flat(current)) {
        return current;
      }
      if (current.slope * width >= 0) {
        high = std::move(low);
      }
      low = std::move(current);
    }
    return low;
  }

  const std::function<LinePoint(double)>& evaluate_;
  const LinePoint& start_;
  WolfeConditions conditions_;
  std::int64_t evaluations_;
};

}  // namespace

LinePoint strong_wolfe_search(const std::function<LinePoint(double t)>& evaluate,
                              const LinePoint& start, double t, const WolfeConditions& conditions,
                              std::int64_t evaluations) {
  return Search(evaluate, start, conditions, evaluations).run(t);
}

}  // namespace rw::detail
