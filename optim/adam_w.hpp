#pragma once

#include <rewind/optim/adam.hpp>

namespace rw {

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;  ///< as Adam's
};

/// Adam with decoupled weight decay, as torch.optim.AdamW: the decay bypasses the moments,
///
///     w -= learning_rate weight_decay w
///
/// then Adam's rule is applied without decay. Loshchilov and Hutter, "Decoupled weight decay
/// regularization", 2019. Throws UsageError for options out of range.
class AdamW : public Adam {
 public:
  explicit AdamW(ParameterList parameters, const AdamWOptions& options = {});
};

}  // namespace rw
