#pragma once
// Line search for a point with sufficient decrease and a sufficiently small slope.

#include <cstdint>
#include <functional>

#include <Eigen/Core>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// Value and gradient of a function f at x + t direction.
struct LinePoint {
  double t = 0;
  double f = 0;
  double slope = 0;  // of f along the direction
  Eigen::VectorXd x;
  Eigen::VectorXd gradient;
};

struct WolfeConditions {
  double decrease = 1e-4;  // f(t) <= f(0) + decrease t slope(0)
  double curvature = 0.9;  // |slope(t)| <= curvature |slope(0)|
};

/// A t > 0 that meets the strong Wolfe conditions, found from the first guess `t` in at most
/// `evaluations` calls of `evaluate`. If the calls or the precision do not suffice, returns the
/// lowest point seen that meets the first condition, or else `start`. A point at which f or its
/// slope is not finite is treated as too high. `start.slope` must be negative.
///
/// Nocedal and Wright, "Numerical optimization", 2nd ed. 2006, algorithms 3.5 and 3.6, with cubic
/// interpolation.
LinePoint strong_wolfe_search(const std::function<LinePoint(double t)>& evaluate,
                              const LinePoint& start, double t, const WolfeConditions& conditions,
                              std::int64_t evaluations);

}  // namespace rw::detail

#pragma GCC visibility pop
