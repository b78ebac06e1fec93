#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct SgdOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
};

/// Stochastic gradient descent with momentum, as torch.optim.SGD:
///
///     g = gradient + weight_decay w
///     velocity = momentum velocity + g
///     w -= learning_rate velocity                     or, with nesterov,
///     w -= learning_rate (g + momentum velocity)
///
/// Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
/// Throws UsageError for options out of range, and for nesterov without momentum.
class Sgd : public Optimizer {
 public:
  explicit Sgd(ParameterList parameters, const SgdOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  SgdOptions options_;
  std::vector<Tensor> velocity_;
};

}  // namespace rw
