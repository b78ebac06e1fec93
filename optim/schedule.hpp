#pragma once
// Learning-rate schedules: factors on an optimiser's learning rate, as functions of the step.
//
//     optimizer.set_schedule(warm_up(500) * cosine_decay(20'000));
//
// A schedule has no state, and the optimiser's number of steps is in its checkpoint, so a resumed
// run continues where it was.

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace rw {

/// The factor on the learning rate at a step; the first step is 0. Made by the functions below or
/// from any callable `double(std::int64_t step)` that depends only on the step.
class Schedule {
 public:
  /// Always 1.
  Schedule() = default;
  template <class F>
  requires(std::is_invocable_r_v<double, const F&, std::int64_t> &&
           !std::same_as<F, Schedule>) explicit(false) Schedule(F function)
      : function_(std::move(function)), text_("a function") {}
  /// The same, with a text that says all there is to say of it, such as "halves(500)".
  template <class F>
  requires std::is_invocable_r_v<double, const F&, std::int64_t> Schedule(std::string text,
                                                                          F function)
      : function_(std::move(function)), text_(std::move(text)) {}

  double operator()(std::int64_t step) const { return function_ ? function_(step) : 1; }

  /// This schedule for `steps` steps, then `next` from its step 0. Throws UsageError for steps < 0.
  Schedule then(std::int64_t steps, Schedule next) const;

  /// "warm_up(500, 0) * cosine_decay(20000, 0)", by which a checkpoint tells it from another. A
  /// callable without a text of its own is "a function": two of these can't be told apart.
  const std::string& text() const { return text_; }

 private:
  std::function<double(std::int64_t)> function_;
  std::string text_ = "constant";
};

/// The product of both factors: warm_up(500) * step_decay(10'000, 0.1).
Schedule operator*(Schedule a, Schedule b);

// All of these throw UsageError for arguments out of the stated range. s is the step.

/// factor^floor(s / period), as torch.optim.lr_scheduler.StepLR. 0 < period, 0 < factor.
Schedule step_decay(std::int64_t period, double factor = 0.1);

/// factor^(number of milestones <= s), as MultiStepLR. Milestones >= 0, in increasing order;
/// 0 < factor.
Schedule multi_step_decay(std::vector<std::int64_t> milestones, double factor = 0.1);

/// factor^s, as ExponentialLR. 0 < factor.
Schedule exponential_decay(double factor);

/// Linear from 1 at step 0 to `floor` at step `steps`, where it stays. 0 < steps, 0 <= floor.
Schedule linear_decay(std::int64_t steps, double floor = 0);

/// floor + (1 - floor) (1 + cos(pi s / steps)) / 2, and `floor` from step `steps` on; until then as
/// CosineAnnealingLR. 0 < steps, 0 <= floor.
Schedule cosine_decay(std::int64_t steps, double floor = 0);

/// Cosine decay with restarts, as CosineAnnealingWarmRestarts: the first period has `period` steps,
/// and each later one is `growth` times as long as the one before. 0 < period, 1 <= growth, 0 <=
/// floor. Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
Schedule cosine_restarts(std::int64_t period, std::int64_t growth = 1, double floor = 0);

/// start + (1 - start) (s + 1) / steps, and 1 from step `steps` - 1 on; the first factor is not 0.
/// 0 < steps, 0 <= start.
Schedule warm_up(std::int64_t steps, double start = 0);

struct OneCycleOptions {
  std::int64_t steps = 0;      ///< length of the whole cycle; required
  double rise = 0.3;           ///< fraction of the cycle in which the rate rises
  double start = 1.0 / 25;     ///< first factor
  double end = 1.0 / 250'000;  ///< last factor
};

/// From `start` up to 1 and down to `end`, where it stays, both along half a cosine, as OneCycleLR:
/// the optimiser's learning rate is the peak, reached at step rise steps - 1, and `end` is reached
/// at step steps - 1. The momentum is not cycled. 0 < rise < 1, 1 < rise steps, 0 <= start,
/// 0 <= end. Smith and Topin, "Super-convergence: very fast training of neural networks using large
/// learning rates", 2018.
Schedule one_cycle(const OneCycleOptions& options);

}  // namespace rw
