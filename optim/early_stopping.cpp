#include <cmath>
#include <limits>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/optim/early_stopping.hpp>

namespace rw {

BestValue::BestValue(const BestValueOptions& options, std::string_view owner)
    : options_(options),
      best_(scalar((options.maximize ? -1 : 1) * std::numeric_limits<double>::infinity(),
                   DType::float64)),
      waited_(zeros({}, DType::int64)) {
  check<UsageError>(options.min_delta >= 0 && std::isfinite(options.min_delta),
                    "{}: min_delta is {}, expected at least 0 and finite", owner,
                    options.min_delta);
}

bool BestValue::improves(double value) const {
  const double delta = options_.relative && std::isfinite(best())
                           ? options_.min_delta * std::abs(best())
                           : options_.min_delta;
  return options_.maximize ? value > best() + delta : value < best() - delta;
}

bool BestValue::observe(double value) {
  std::int64_t& waited = *waited_.mutable_data<std::int64_t>();
  if (!improves(value)) {
    ++waited;
    return false;
  }
  *best_.mutable_data<double>() = value;
  waited = 0;
  return true;
}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options)
    : patience_(options.patience),
      best_({.min_delta = options.min_delta, .maximize = options.maximize}, "early stopping") {
  check<UsageError>(options.patience >= 1, "early stopping: patience is {}, expected at least 1",
                    options.patience);
}

bool EarlyStopping::observe(double value) {
  improved_ = best_.observe(value);
  return waited() >= patience_;
}

}  // namespace rw
