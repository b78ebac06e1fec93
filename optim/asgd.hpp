#pragma once

#include <rewind/optim/applied_values.hpp>
#include <rewind/optim/optimizer.hpp>

namespace rw {

struct AsgdOptions {
  double learning_rate = 1e-2;
  double lambda = 1e-4;
  double alpha = 0.75;
  double averaging_start = 1e6;  ///< updates before the average begins
  double weight_decay = 0;
};

/// Averaged stochastic gradient descent, as torch.optim.ASGD. At a parameter's t-th update:
///
///     rate = learning_rate / (1 + lambda learning_rate (t - 1))^alpha
///     g = gradient + weight_decay w
///     w = (1 - lambda rate) w - rate g
///     average += (w - average) / max(1, t - 1 - averaging_start)
///
/// The average is the result: evaluate it with apply_average(). Up to averaging_start it equals w.
/// Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the rate is
/// Bottou's, "Stochastic gradient descent tricks", 2012. Throws UsageError for options out of
/// range.
class Asgd : public Optimizer {
 public:
  explicit Asgd(ParameterList parameters, const AsgdOptions& options = {});

  /// Puts the averages into the parameters until the returned object goes out of scope.
  [[nodiscard]] AppliedValues apply_average() const { return {parameters(), average_}; }

 private:
  bool is_finite(std::size_t i, const Parameter& parameter) const override;
  void update(std::size_t i, Parameter& parameter) override;

  AsgdOptions options_;
  std::vector<Tensor> average_;
  std::vector<Tensor> updates_;
};

}  // namespace rw
