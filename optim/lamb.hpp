#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct LambOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 1e-2;
};

/// Adam with steps whose norm, for each parameter as a whole, is the learning rate times the
/// parameter's norm. At a parameter's t-th update, with Euclidean norms over all of its elements:
///
///     g = gradient
///     first_moment = beta1 first_moment + (1 - beta1) g
///     second_moment = beta2 second_moment + (1 - beta2) g^2
///     u = (first_moment / (1 - beta1^t)) / (sqrt(second_moment / (1 - beta2^t)) + epsilon)
///         + weight_decay w
///     w -= learning_rate (|w| / |u|) u
///
/// where |w| / |u| counts as 1 when either norm is 0. You et al., "Large batch optimization for
/// deep learning: training BERT in 76 minutes", 2020, algorithm 2 with phi(z) = z. A weight whose
/// square overflows is reported as a gradient that is too large. Throws UsageError for options out
/// of range.
class Lamb : public Optimizer {
 public:
  explicit Lamb(ParameterList parameters, const LambOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  LambOptions options_;
  std::vector<Tensor> first_moment_;
  std::vector<Tensor> second_moment_;
  std::vector<Tensor> updates_;
};

}  // namespace rw
