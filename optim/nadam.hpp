#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct NAdamOptions {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double momentum_decay = 4e-3;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;
};

/// Adam with Nesterov momentum, as torch.optim.NAdam. At a parameter's t-th update:
///
///     g = gradient + weight_decay w            or, with decoupled_weight_decay, g = gradient and
///     w -= learning_rate weight_decay w
///     mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
///     momentum_product = mu_1 mu_2 ... mu_t
///     first_moment = beta1 first_moment + (1 - beta1) g
///     second_moment = beta2 second_moment + (1 - beta2) g^2
///     m = mu_(t+1) first_moment / (1 - momentum_product mu_(t+1))
///         + (1 - mu_t) g / (1 - momentum_product)
///     w -= learning_rate m / (sqrt(second_moment / (1 - beta2^t)) + epsilon)
///
/// Dozat, "Incorporating Nesterov momentum into Adam", 2016. Throws UsageError for options out of
/// range.
class NAdam : public Optimizer {
 public:
  explicit NAdam(ParameterList parameters, const NAdamOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  NAdamOptions options_;
  std::vector<Tensor> first_moment_;
  std::vector<Tensor> second_moment_;
  std::vector<Tensor> momentum_product_;
  std::vector<Tensor> updates_;
};

}  // namespace rw
