#pragma once
// Averages of a model's weights over its training. Each is told after every step, and lends the
// averages to the model:
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

/// What the averages share. They begin with the parameters' values: make them after a model has
/// been loaded. They share the parameters, so that the model may be moved.
class WeightAverage {
 public:
  WeightAverage(const WeightAverage&) = delete;
  WeightAverage& operator=(const WeightAverage&) = delete;

  /// The averages stand in the parameters until what this returns goes out of scope.
  [[nodiscard]] AppliedValues apply() const { return {parameters_.list(), averages_}; }
  /// Number of calls of update().
  std::int64_t updates() const { return *updates_.data<std::int64_t>(); }
  /// "updates" (int64) and the averages, such as "average/cell/w_x". They share storage: writing
  /// into them restores it.
  StateList state() const { return state_; }

 protected:
  WeightAverage(std::string_view owner, std::string_view state_name, ParameterList list);
  ~WeightAverage() = default;

  /// Counts an update. Throws UsageError when a parameter has another form than at first; nothing
  /// has changed then.
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
  /// Whether the average is one of the values since construction only. Otherwise the values at
  /// construction stay in it, with the weight decay^t.
  bool bias_correction = true;
};

/// Exponential moving average. At the t-th update:
///
///     average += (1 - decay) / (1 - decay^t) (w - average)        with bias_correction, else
///     average += (1 - decay) (w - average)
///
/// The first is decay-weighted like the second, but its weights add up to 1 over the t values seen:
/// what Adam gets by dividing by 1 - decay^t. Throws UsageError unless 0 <= decay < 1. Polyak and
/// Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the correction is that
/// of Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
class ParameterAverage : public WeightAverage {
 public:
  explicit ParameterAverage(ParameterList list, const ParameterAverageOptions& options = {});
  /// Takes the parameters' values into the average. Call it after each step of the optimiser.
  /// Throws UsageError when a parameter has another form than at first; nothing has changed then.
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

/// Slow weights that follow the optimiser's fast ones, and to which those return. At every
/// `period`-th update:
///
///     slow += alpha (w - slow)
///     w = slow
///
/// apply() gives the slow weights. The optimiser keeps its own state. Throws UsageError unless
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
