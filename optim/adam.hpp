#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;  ///< divide by the root of the largest second moment so far
};

/// Steps from moving means of the gradient and of its square, as torch.optim.Adam. At a parameter's
/// t-th update:
///
///     g = gradient + weight_decay w
///     first_moment = beta1 first_moment + (1 - beta1) g
///     second_moment = beta2 second_moment + (1 - beta2) g^2
///     w -= learning_rate (first_moment / (1 - beta1^t)) / (sqrt(second_moment / (1 - beta2^t)) +
///     epsilon)
///
/// t counts each parameter's own updates, so that a parameter that joins late (unfrozen, or without
/// gradient before) starts at t = 1 like all others. Kingma and Ba, "Adam: a method for stochastic
/// optimization", 2015.
///
/// With `amsgrad`, the learning rate of an element never increases, which prevents divergence on
/// some problems where Adam diverges:
///
///     largest_second_moment = max(largest_second_moment, second_moment)
///
/// replaces second_moment in the last line. Reddi, Kale and Kumar, "On the convergence of Adam and
/// beyond", 2018, algorithm 2; the correction by beta2^t is from torch.optim.Adam. Throws
/// UsageError for options out of range.
class Adam : public Optimizer {
 public:
  explicit Adam(ParameterList parameters, const AdamOptions& options = {});

 protected:
  enum class WeightDecay { in_gradient, decoupled };
  Adam(std::string_view name, ParameterList parameters, const AdamOptions& options,
       WeightDecay kind);

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  AdamOptions options_;
  bool decoupled_;  // weight decay acts on the value, not on the gradient
  std::vector<Tensor> first_moment_;
  std::vector<Tensor> second_moment_;
  std::vector<Tensor> largest_second_moment_;  // with amsgrad
  std::vector<Tensor> updates_;
};

}  // namespace rw
