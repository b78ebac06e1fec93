#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct AdamaxOptions {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// Adam with the largest recent gradient instead of the root mean square, as torch.optim.Adamax. At
/// a parameter's t-th update:
///
///     g = gradient + weight_decay w
///     first_moment = beta1 first_moment + (1 - beta1) g
///     largest = max(beta2 largest, |g| + epsilon)
///     w -= learning_rate / (1 - beta1^t) first_moment / largest
///
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, section 7.1, where epsilon is
/// 0. Throws UsageError for options out of range.
class Adamax : public Optimizer {
 public:
  explicit Adamax(ParameterList parameters, const AdamaxOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  AdamaxOptions options_;
  std::vector<Tensor> first_moment_;
  std::vector<Tensor> largest_;
  std::vector<Tensor> updates_;
};

}  // namespace rw
