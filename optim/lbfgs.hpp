#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/optim/detail/fixed_parameters.hpp>

namespace rw {

struct LbfgsOptions {
  double learning_rate = 1;          ///< first step length that each line search tries
  std::int64_t max_iterations = 20;  ///< line searches per step
  std::int64_t max_evaluations = 25;
  std::int64_t history = 10;         ///< number of pairs (step, change of gradient) kept
  double gradient_tolerance = 1e-7;  ///< on the largest element of the gradient
  double change_tolerance = 1e-9;    ///< on the loss, and on the largest change of an element
};

/// The outcome of a step of L-BFGS.
struct LbfgsReport {
  double first_loss = 0;
  double last_loss = 0;
  std::int64_t iterations = 0;
  std::int64_t evaluations = 0;
  bool converged = false;  ///< a tolerance was reached
};

/// Limited-memory BFGS with a line search that meets the strong Wolfe conditions, like
/// torch.optim.LBFGS with line_search_fn = "strong_wolfe" (which keeps 100 pairs). Each iteration
/// moves along
///
///     direction = -H gradient,
///
/// where H approximates the inverse of the Hessian, from the last `history` steps and the changes
/// of the gradient along them. Use it for losses that depend only on the parameters: computed on
/// all data, without dropout.
///
///     Lbfgs optimizer(parameters(model));
///     const LbfgsReport report = optimizer.step([&] { return mse(model(x), y); });
///
/// Its vectors are float64, whatever the parameters' types. It has no weight decay and no groups:
/// add a penalty to the loss instead. Frozen parameters do not change. The optimiser shares the
/// parameters, so that the model may be moved.
///
/// Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; line
/// search: Nocedal and Wright, "Numerical optimization", 2006, section 3.5. Throws UsageError for
/// options out of range.
class Lbfgs {
 public:
  explicit Lbfgs(ParameterList parameters, const LbfgsOptions& options = {});
  Lbfgs(const Lbfgs&) = delete;
  Lbfgs& operator=(const Lbfgs&) = delete;

  /// Moves the parameters to a lower loss, by up to max_iterations iterations. `loss` is evaluated
  /// several times, each time on a separate tape, and must be one number.
  ///
  /// The parameters' gradients are overwritten, and cleared at the end. Throws NonFiniteError when
  /// the first loss or gradient is not finite (a later one only shortens the line search),
  /// UsageError when no parameter gets a gradient, UsageError or ShapeError when the shape or type
  /// of a parameter or gradient has changed, and whatever `loss` throws. After an exception neither
  /// parameters nor state have changed.
  LbfgsReport step(const std::function<Tensor()>& loss);
  /// The same for a `loss` that runs its own backward passes and returns the sum of the losses, for
  /// data in several parts. Gradients are cleared before each call.
  LbfgsReport step(const std::function<double()>& loss);

  /// Number of completed steps.
  std::int64_t steps() const { return *steps_.data<std::int64_t>(); }
  /// "step", "pairs" (int64), and "moves", "gradient_changes" (float64 [history, number of
  /// values]), oldest first. They share storage: writing into them restores it.
  StateList state() const { return state_; }
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;
  /// Pairs have a positive curvature.
  std::string fault_in(const StateList& values) const;

 private:
  class Run;

  detail::FixedParameters parameters_;
  LbfgsOptions options_;
  Tensor steps_;
  Tensor pairs_;
  Tensor moves_;
  Tensor gradient_changes_;
  StateList state_;
};

}  // namespace rw
