#pragma once

#include <cstdint>
#include <string_view>

#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/autograd/tensor/state.hpp>

namespace rw {

struct BestValueOptions {
  double min_delta = 0;   ///< an improvement must be greater than this
  bool relative = false;  ///< min_delta is a fraction of |best|
  bool maximize = false;  ///< greater values are better
};

/// The best value observed so far, and the number of observations since. NaN is never an
/// improvement.
class BestValue {
 public:
  /// `owner` starts every message. Throws UsageError unless 0 <= min_delta < infinity.
  explicit BestValue(const BestValueOptions& options = {}, std::string_view owner = "best value");
  BestValue(const BestValue&) = delete;
  BestValue& operator=(const BestValue&) = delete;

  /// Whether `value` is better than the best so far, by more than min_delta.
  bool observe(double value);
  /// Infinity, or minus infinity when maximizing, before the first observation.
  double best() const { return best_.item(); }
  /// Observations since the best one, or since construction while there is none.
  std::int64_t waited() const { return *waited_.data<std::int64_t>(); }
  /// "best" (float64) and "waited" (int64), sharing storage.
  StateList state() const { return {{"best", best_, ordered_values}, {"waited", waited_, counts}}; }
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;

 private:
  bool improves(double value) const;

  BestValueOptions options_;
  Tensor best_;
  Tensor waited_;
};

struct EarlyStoppingOptions {
  std::int64_t patience = 10;
  double min_delta = 0;
  bool maximize = false;
};

/// Says when to stop: after `patience` consecutive observations without an improvement by more than
/// min_delta.
///
///     EarlyStopping stopping({.patience = 5});
///     ...
///     const bool stop = stopping.observe(validation_loss);
///     if (stopping.improved()) io::save("best.h5", "model", model);
///     if (stop) break;
///
/// Throws UsageError unless patience >= 1 and 0 <= min_delta < infinity. Prechelt, "Early stopping
/// - but when?", 1998.
class EarlyStopping {
 public:
  explicit EarlyStopping(const EarlyStoppingOptions& options = {});

  /// Returns true when training should stop. NaN counts as no improvement.
  bool observe(double value);
  /// Whether the last observation was the best one yet.
  bool improved() const { return *improved_.data<std::int64_t>() != 0; }
  double best() const { return best_.best(); }
  /// Observations since the best one.
  std::int64_t waited() const { return best_.waited(); }
  /// "best" (float64), "waited" and "improved" (int64), sharing storage.
  StateList state() const;
  /// What a checkpoint says of it: see options_of().
  OptionList options() const;
  /// The last value cannot be the best one and others have come since.
  std::string fault_in(const StateList& values) const;

 private:
  std::int64_t patience_;
  BestValue best_;
  Tensor improved_;  // int64, 0 or 1
};

}  // namespace rw
