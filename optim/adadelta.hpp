#pragma once

#include <rewind/optim/optimizer.hpp>

namespace rw {

struct AdadeltaOptions {
  double learning_rate = 1;
  double rho = 0.9;
  double epsilon = 1e-6;
  double weight_decay = 0;
};

/// Steps scaled by the size of earlier steps, as torch.optim.Adadelta:
///
///     g = gradient + weight_decay w
///     mean_square = rho mean_square + (1 - rho) g^2
///     step = sqrt(mean_square_step + epsilon) / sqrt(mean_square + epsilon) g
///     mean_square_step = rho mean_square_step + (1 - rho) step^2
///     w -= learning_rate step
///
/// Zeiler, "ADADELTA: an adaptive learning rate method", 2012, which has no learning rate. Throws
/// UsageError for options out of range.
class Adadelta : public Optimizer {
 public:
  explicit Adadelta(ParameterList parameters, const AdadeltaOptions& options = {});

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  AdadeltaOptions options_;
  std::vector<Tensor> mean_square_;
  std::vector<Tensor> mean_square_step_;
};

}  // namespace rw
