#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <rewind/autograd/parameter_list.hpp>

namespace rw {

/// What all optimisers share: the parameters they change, the learning rate, and a step that
/// happens whole or not at all.
///
///     Adam optimizer(parameters(model), {.learning_rate = 1e-3});
///     optimizer.zero_grad();
///     tape.backward(loss);
///     optimizer.step();
///
/// The parameters must outlive the optimiser and stay where they are. Each has state from the
/// beginning, whether trainable or not, so that it can be frozen and unfrozen, and a checkpoint be
/// loaded into a fresh optimiser; leave out of the list what is never to be trained.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// Changes every trainable parameter that has a gradient, in place; one without gradient keeps
  /// its value and state.
  ///
  /// Throws NonFiniteError when a gradient holds a NaN or an infinity, or is so large that the
  /// rule's square of it overflows; UsageError or ShapeError when a parameter or its gradient has
  /// another form than when the optimiser was made. After an exception neither parameters nor state
  /// have changed.
  void step();

  /// Forgets all gradients, so that the next backward pass starts from zero.
  void zero_grad() { rw::zero_grad(parameters_); }

  double learning_rate() const { return learning_rate_.item(); }
  /// Takes effect at the next step. Throws UsageError unless 0 <= learning_rate < infinity.
  void set_learning_rate(double learning_rate);
  /// Number of completed steps.
  std::int64_t steps() const { return *steps_.data<std::int64_t>(); }

  /// "learning_rate" (float64), "step" (int64) and the rule's tensors, such as "velocity/cell/w_x".
  /// They share the optimiser's storage: writing into them restores it. The other options are the
  /// constructor's.
  StateList state() const { return state_; }

 protected:
  /// `name` opens every message. Throws UsageError when the list is empty or has a parameter or a
  /// path twice.
  Optimizer(std::string_view name, ParameterList parameters, double learning_rate);

  /// Throws UsageError unless lower <= value < upper.
  void check_option(std::string_view option, double value, double lower,
                    double upper = std::numeric_limits<double>::infinity()) const;
  /// As check_option, for a number that keeps a quotient from 0 / 0, in float32 too.
  void check_epsilon(double epsilon) const;

  /// One tensor for each parameter, of its shape and type, filled with `initial`; part of state()
  /// as "name/path".
  std::vector<Tensor> add_state(std::string_view name, double initial = 0);
  /// The same, of one integer for each parameter.
  std::vector<Tensor> add_counters(std::string_view name);

  /// Element pointer of the i-th of `tensors`; null where the rule keeps no such state.
  template <Element T>
  static T* state_data(std::vector<Tensor>& tensors, std::size_t i) {
    return tensors.empty() ? nullptr : tensors[i].mutable_data<T>();
  }
  template <Element T>
  static const T* state_data(const std::vector<Tensor>& tensors, std::size_t i) {
    return tensors.empty() ? nullptr : tensors[i].data<T>();
  }

 private:
  /// Whether the i-th parameter's gradient, and whatever the rule makes of it, is finite. Changes
  /// nothing.
  virtual bool is_finite(std::size_t i, const Parameter& parameter) const = 0;
  /// Applies the rule to the i-th parameter. Cannot fail.
  virtual void update(std::size_t i, Parameter& parameter) = 0;

  void check_form(std::size_t i) const;

  struct Form {
    Shape shape;
    DType dtype;
  };

  std::string_view name_;
  ParameterList parameters_;
  std::vector<Form> forms_;
  Tensor learning_rate_;
  Tensor steps_;
  StateList state_;
};

}  // namespace rw
