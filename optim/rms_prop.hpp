#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct RmsPropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  bool centered = false;
  double weight_decay = 0;
};

/// Steps divided by a moving root mean square of the gradient, as torch.optim.RMSprop:
///
///     g = gradient + weight_decay w
///     mean_square = alpha mean_square + (1 - alpha) g^2
///     mean_gradient = alpha mean_gradient + (1 - alpha) g            when centered, else 0
///     velocity = momentum velocity + g / (sqrt(mean_square - mean_gradient^2) + epsilon)
///     w -= learning_rate velocity
///
/// A difference that rounding makes negative is treated as 0; PyTorch takes its root and gets NaN.
/// Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered:
/// Graves, "Generating sequences with recurrent neural networks", 2013. Throws UsageError for
/// options out of range.
class RmsProp : public Optimizer {
 public:
  explicit RmsProp(ParameterList parameters, const RmsPropOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  RmsPropOptions options_;
  std::vector<Tensor> mean_square_;
  std::vector<Tensor> mean_gradient_;
  std::vector<Tensor> velocity_;
};

}  // namespace rw
