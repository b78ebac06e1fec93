#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct RAdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;
};

/// Adam that omits its second moment while that is estimated from too few gradients, as
/// torch.optim.RAdam. At a parameter's t-th update:
///
///     g = gradient + weight_decay w            or, with decoupled_weight_decay, g = gradient and
///     w -= learning_rate weight_decay w
///     first_moment = beta1 first_moment + (1 - beta1) g
///     second_moment = beta2 second_moment + (1 - beta2) g^2
///     m = first_moment / (1 - beta1^t)
///     rho_inf = 2 / (1 - beta2) - 1,  rho = rho_inf - 2 t beta2^t / (1 - beta2^t)
///     if rho > 5:
///       r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
///       w -= learning_rate m r sqrt(1 - beta2^t) / (sqrt(second_moment) + epsilon)
///     else:
///       w -= learning_rate m
///
/// Liu et al., "On the variance of the adaptive learning rate and beyond", 2020, with the threshold
/// 5 of the authors' code instead of the paper's 4. Throws UsageError for options out of range.
class RAdam : public Optimizer {
 public:
  explicit RAdam(ParameterList parameters, const RAdamOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  RAdamOptions options_;
  std::vector<Tensor> first_moment_;
  std::vector<Tensor> second_moment_;
  std::vector<Tensor> updates_;
};

}  // namespace rw
