#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct AdagradOptions {
  double learning_rate = 1e-2;
  double learning_rate_decay = 0;
  double initial_sum = 0;
  double epsilon = 1e-10;
  double weight_decay = 0;
};

/// Steps divided by the root of the sum of all squared gradients, as torch.optim.Adagrad. At a
/// parameter's t-th update:
///
///     g = gradient + weight_decay w
///     sum_of_squares = sum_of_squares + g^2                          from initial_sum
///     w -= learning_rate / (1 + (t - 1) learning_rate_decay) g / (sqrt(sum_of_squares) + epsilon)
///
/// Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization",
/// 2011. Throws UsageError for options out of range.
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(ParameterList parameters, const AdagradOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  AdagradOptions options_;
  std::vector<Tensor> sum_of_squares_;
  std::vector<Tensor> updates_;
};

}  // namespace rw
