#pragma once
// Averages of a model's weights over its training. Call update() after every step, and apply() to
// use the averages:
//
//     ParameterAverage average(parameters(model), {.decay = 0.999});
//     ...
//     optimizer.step();
//     average.update();
//     ...
//     {
//       const AppliedValues averaged = average.apply();
//       validate(model);
//     }

#include <cstdint>
#include <string_view>
#include <vector>

#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/optim/applied_values.hpp>
#include <rewind/optim/detail/fixed_parameters.hpp>

namespace rw {

/// Base class of the averages. An average starts with the parameters' values: create it after
/// loading a model. It shares the parameters, so that the model may be moved.
class WeightAverage {
 public:
  WeightAverage(const WeightAverage&) = delete;
  WeightAverage& operator=(const WeightAverage&) = delete;

  /// Puts the averages into the parameters until the returned object goes out of scope.
  [[nodiscard]] AppliedValues apply() const { return {parameters_.list(), averages_}; }
  /// Number of calls of update().
  std::int64_t updates() const { return *updates_.data<std::int64_t>(); }
  /// "updates" (int64) and the averages, such as "average/cell/w_x". They share storage with this
  /// object: writing into them restores it.
  StateList state() const { return state_; }

 protected:
  WeightAverage(std::string_view owner, std::string_view state_name, ParameterList list);
  ~WeightAverage() = default;

  /// Counts an update. Throws UsageError, without changing anything, when the shape or type of a
  /// parameter has changed.
  std::int64_t count_update();
  /// average += rate (w - average)
  void move_averages(double rate);
  /// w = average
  void copy_to_parameters();

 private:
  detail::FixedParameters parameters_;
  Tensor updates_;
  StateList state_;
  std::vector<Tensor> averages_;
};

struct ParameterAverageOptions {
  double decay = 0.999;
  /// Whether the average excludes the values at construction. Otherwise they are included with
  /// weight decay^t.
  bool bias_correction = true;
};

/// Exponential moving average. At the t-th update:
///
///     average += (1 - decay) / (1 - decay^t) (w - average)        with bias_correction, else
///     average += (1 - decay) (w - average)
///
/// The first has decaying weights like the second, but they sum to 1 over the t values seen, as in
/// Adam after dividing by 1 - decay^t. Throws UsageError unless 0 <= decay < 1. Polyak and
/// Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the correction is that
/// of Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
class ParameterAverage : public WeightAverage {
 public:
  explicit ParameterAverage(ParameterList list, const ParameterAverageOptions& options = {});
  /// Includes the parameters' current values in the average. Call it after each step of the
  /// optimiser. Throws UsageError, without changing anything, when the shape or type of a parameter
  /// has changed.
  void update();
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;

 private:
  ParameterAverageOptions options_;
};

struct LookaheadOptions {
  std::int64_t period = 5;
  double alpha = 0.5;
};

/// Slow weights that follow the optimiser's fast ones, which are then reset to them. At every
/// `period`-th update:
///
///     slow += alpha (w - slow)
///     w = slow
///
/// apply() uses the slow weights. The optimiser's state does not change. Throws UsageError unless
/// period >= 1 and 0 < alpha <= 1. Zhang et al., "Lookahead optimizer: k steps forward, 1 step
/// back", 2019.
class Lookahead : public WeightAverage {
 public:
  explicit Lookahead(ParameterList list, const LookaheadOptions& options = {});
  /// Call it after each step of the optimiser. Throws as ParameterAverage's.
  void update();
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;

 private:
  LookaheadOptions options_;
};

}  // namespace rw
