#pragma once

#include <cstdint>

#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/optimizer.hpp>

namespace rw {

struct ReduceOnPlateauOptions {
  double factor = 0.1;
  std::int64_t patience = 10;  ///< bad observations (without improvement) that are tolerated
  double min_delta = 1e-4;     ///< an improvement must be greater than this,
  bool relative = true;        ///< as a fraction of the best value
  bool maximize = false;       ///< greater values are better
  std::int64_t cooldown = 0;   ///< observations after a reduction that are ignored
  double min_learning_rate = 0;
};

/// Lowers an optimiser's learning rate when a measured value stops improving, as
/// torch.optim.lr_scheduler.ReduceLROnPlateau: after more than `patience` consecutive bad
/// observations,
///
///     learning_rate = max(factor learning_rate, min_learning_rate)
///
///     ReduceOnPlateau plateau(optimizer, {.patience = 3});
///     ...
///     plateau.observe(validation_loss);
///
/// It changes learning_rate(), and so can be combined with a schedule. For a best value below 0, a
/// relative min_delta is a fraction of its magnitude. The optimiser must outlive it. Throws
/// UsageError for options out of range.
class ReduceOnPlateau {
 public:
  explicit ReduceOnPlateau(Optimizer& optimizer, const ReduceOnPlateauOptions& options = {});

  /// Returns true if the learning rate was lowered. NaN counts as no improvement.
  bool observe(double value);
  double best() const { return best_.best(); }
  /// "best" (float64), "waited" (int64), "bad_observations" and "cooldown" (int64), sharing
  /// storage. The learning rate is in the optimiser's state.
  StateList state() const;
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;

 private:
  Optimizer& optimizer_;
  ReduceOnPlateauOptions options_;
  BestValue best_;
  Tensor bad_observations_;  // consecutive bad observations, without those in the cooldown
  Tensor cooldown_;          // observations that are still ignored
};

}  // namespace rw
