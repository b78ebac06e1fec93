#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct AdaBeliefOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-16;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;
};

/// Adam whose second moment is that of the gradient's distance from its moving mean: steps are long
/// where the gradient is as expected, and short where it is not. At a parameter's t-th update:
///
///     g = gradient + weight_decay w            or, with decoupled_weight_decay, g = gradient and
///     w -= learning_rate weight_decay w
///     first_moment = beta1 first_moment + (1 - beta1) g
///     deviation = beta2 deviation + (1 - beta2) (g - first_moment)^2 + epsilon
///     w -= learning_rate (first_moment / (1 - beta1^t)) / (sqrt(deviation / (1 - beta2^t)) +
///     epsilon)
///
/// Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients",
/// 2020, algorithm 2, with the epsilon of the authors' code. Throws UsageError for options out of
/// range.
class AdaBelief : public Optimizer {
 public:
  explicit AdaBelief(ParameterList parameters, const AdaBeliefOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  AdaBeliefOptions options_;
  std::vector<Tensor> first_moment_;
  std::vector<Tensor> deviation_;
  std::vector<Tensor> updates_;
};

}  // namespace rw
