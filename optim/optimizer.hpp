#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/optim/detail/fixed_parameters.hpp>
#include <rewind/optim/schedule.hpp>

namespace rw {

/// Different settings for some of an optimiser's parameters.
struct ParameterGroup {
  std::string name;
  /// Which parameters: [](const NamedParameter& p) { return p.path.ends_with("bias"); }
  std::function<bool(const NamedParameter&)> contains;
  std::optional<double> learning_rate_factor = {};  ///< on the optimiser's learning rate
  std::optional<double> weight_decay = {};          ///< instead of the optimiser's
};

/// Base class of the optimisers: their parameters, the learning rate, and an all-or-nothing step.
///
///     Adam optimizer(parameters(model), {.learning_rate = 1e-3});
///     optimizer.zero_grad();
///     tape.backward(loss);
///     optimizer.step();
///
/// Gradients accumulate until zero_grad(): several backward passes, each for a part of the loss,
/// followed by one step() are equivalent to one pass over a larger batch.
///
/// The optimiser shares the parameters: the model may be moved, or assigned to. A copy of the model
/// has its own parameters and needs its own optimiser. Each parameter, trainable or not, has state
/// from the beginning, so that it can be frozen and unfrozen, and checkpoints can be loaded into a
/// new optimiser; omit parameters that are never trained from the list.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// Updates every trainable parameter that has a gradient, in place; parameters without gradient
  /// keep their value and state.
  ///
  /// Throws UsageError when no parameter has a gradient, for example because the backward pass is
  /// missing or the model was copied after the optimiser was made; NonFiniteError when a gradient
  /// contains a NaN or an infinity, or is so large that its square overflows; UsageError or
  /// ShapeError when the shape or type of a parameter or its gradient has changed, or the schedule
  /// returns an invalid factor. After an exception neither parameters nor state have changed.
  void step();

  /// The optimiser's parameters, for example to clip their gradients.
  const ParameterList& parameters() const { return parameters_.list(); }

  /// Clears all gradients, so that the next backward pass starts from zero.
  void zero_grad() { rw::zero_grad(parameters_.list()); }

  /// The learning rate before schedule and groups.
  double learning_rate() const { return learning_rate_.item(); }
  /// Takes effect at the next step. Throws UsageError unless 0 <= learning_rate < infinity.
  void set_learning_rate(double learning_rate);

  /// From the next step on, the learning rate is multiplied by schedule(steps()). A schedule is an
  /// option, not part of the state: set the same one in a resumed run.
  void set_schedule(Schedule schedule) { schedule_ = std::move(schedule); }
  /// learning_rate() times the schedule's factor: what the next step uses, before groups. Throws
  /// UsageError when the factor is negative or not finite.
  double scheduled_learning_rate() const;

  /// Gives some parameters different settings:
  ///
  ///     optimizer.add_group({.name = "biases", .contains = is_bias, .weight_decay = 0});
  ///
  /// A parameter may be in several groups: for each setting, the last added group that has it wins.
  /// Throws UsageError, without changing anything, when the group contains no parameter, sets
  /// nothing, has the name of another, or a setting is out of range.
  void add_group(const ParameterGroup& group);
  /// The factor of a group that has one. Throws UsageError when there is no such group.
  double learning_rate_factor(std::string_view group) const;
  void set_learning_rate_factor(std::string_view group, double factor);

  /// Number of completed steps.
  std::int64_t steps() const { return *steps_.data<std::int64_t>(); }

  /// "learning_rate" (float64), "step" (int64), the rule's tensors, such as "velocity/cell/w_x",
  /// and "learning_rate_factor/group" (float64) of the groups that have one. They share the
  /// optimiser's storage: writing into them restores it. All other options come from the
  /// constructor and add_group().
  StateList state() const { return state_; }

  /// "kind", the numbers and flags of the constructor but for the learning rate, which is state,
  /// "schedule", and of the groups "group_order" and for each "group/name/parameters" and, where it
  /// has one, "group/name/weight_decay".
  OptionList options() const;

 protected:
  /// `name` starts every message. Throws UsageError when the list is empty or has a parameter or a
  /// path twice, or a number is out of range.
  Optimizer(std::string_view name, ParameterList parameters, double learning_rate,
            double weight_decay);

  /// Makes a number part of options(). Throws UsageError unless lower <= value < upper.
  void add_option(std::string_view option, double value, double lower,
                  double upper = std::numeric_limits<double>::infinity());
  /// As add_option, for a number that must prevent 0 / 0, even in float32.
  void add_epsilon(double epsilon);
  void add_flag(std::string_view option, bool value);

  /// One tensor for each parameter, of its shape and type, filled with `initial`; part of state()
  /// as "name/path". A checkpoint with numbers outside `range` is refused.
  std::vector<Tensor> add_state(std::string_view name, const ValueRange& range, double initial = 0);
  /// The same, initialised with the parameter's value.
  std::vector<Tensor> add_copies(std::string_view name);
  /// The same, with one count (int64) or one number (float64) for each parameter.
  std::vector<Tensor> add_counters(std::string_view name);
  std::vector<Tensor> add_numbers(std::string_view name, const ValueRange& range, double initial);

  /// The learning rate of the current step for the i-th parameter.
  double rate_of(std::size_t i) const;
  /// The weight decay of the i-th parameter.
  double decay_of(std::size_t i) const { return settings_[i].weight_decay; }

  /// Element pointer of the i-th of `tensors`; null if the rule has no such state.
  template <Element T>
  static T* state_data(std::vector<Tensor>& tensors, std::size_t i) {
    return tensors.empty() ? nullptr : tensors[i].mutable_data<T>();
  }
  template <Element T>
  static const T* state_data(const std::vector<Tensor>& tensors, std::size_t i) {
    return tensors.empty() ? nullptr : tensors[i].data<T>();
  }

 private:
  /// Whether the i-th parameter's gradient, and everything that the rule computes from it, is
  /// finite. Changes nothing.
  virtual bool is_finite(std::size_t i, const Parameter& parameter) const = 0;
  /// Applies the rule to the i-th parameter. Cannot fail.
  virtual void update(std::size_t i, Parameter& parameter) = 0;

  struct Settings {
    Tensor learning_rate_factor;  // its group's; undefined: 1
    double weight_decay;
  };
  struct Group {
    std::string name;
    Tensor learning_rate_factor;  // float64, undefined where the group has none
    std::optional<double> weight_decay;
    std::string parameters;  // their paths
  };
  const Group& group_with_factor(std::string_view name) const;
  void check_range(std::string_view option, double value, double lower,
                   double upper = std::numeric_limits<double>::infinity()) const;

  detail::FixedParameters parameters_;
  std::vector<Settings> settings_;  // of each parameter
  std::vector<Group> groups_;
  Schedule schedule_;
  OptionList options_;
  Tensor learning_rate_;
  Tensor steps_;
  double rate_ = 0;  // of the current step
  StateList state_;
};

}  // namespace rw
