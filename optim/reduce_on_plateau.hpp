#pragma once

#include <cstdint>

#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/optimizer.hpp>

namespace rw {

struct ReduceOnPlateauOptions {
  double factor = 0.1;
  std::int64_t patience = 10;  ///< observations without improvement that are borne
  double min_delta = 1e-4;     ///< an improvement must be greater,
  bool relative = true;        ///< as a part of the best value
  bool maximize = false;       ///< greater values are better
  std::int64_t cooldown = 0;   ///< observations after a reduction that do not count
  double min_learning_rate = 0;
};

/// Lowers an optimiser's learning rate when a measured value stops improving, as
/// torch.optim.lr_scheduler.ReduceLROnPlateau: at the first observation after more than `patience`
/// without improvement,
///
///     learning_rate = max(factor learning_rate, min_learning_rate)
///
///     ReduceOnPlateau plateau(optimizer, {.patience = 3});
///     ...
///     plateau.observe(validation_loss);
///
/// It acts on learning_rate(), and so goes together with a schedule. For a best value below 0, a
/// relative min_delta is a part of its magnitude. The optimiser must outlive it. Throws UsageError
/// for options out of range.
class ReduceOnPlateau {
 public:
  explicit ReduceOnPlateau(Optimizer& optimizer, const ReduceOnPlateauOptions& options = {});

  /// True when the learning rate was lowered. NaN counts as no improvement.
  bool observe(double value);
  double best() const { return best_.best(); }
  /// "best" (float64), "waited" (int64), "borne" and "cooldown" (int64), sharing storage. The
  /// learning rate is in the optimiser's state.
  StateList state() const;
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;

 private:
  Optimizer& optimizer_;
  ReduceOnPlateauOptions options_;
  BestValue best_;
  Tensor borne_;     // observations without improvement that count
  Tensor cooldown_;  // observations still not to count
};

}  // namespace rw
