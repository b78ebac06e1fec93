#include <cmath>
#include <limits>

#include <fmt/format.h>

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

OptionList BestValue::options() const {
  OptionList list;
  add_option(list, "min_delta", options_.min_delta);
  add_option(list, "relative", options_.relative);
  add_option(list, "maximize", options_.maximize);
  return list;
}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options)
    : patience_(options.patience),
      best_({.min_delta = options.min_delta, .maximize = options.maximize}, "early stopping"),
      improved_(zeros({}, DType::int64)) {
  check<UsageError>(options.patience >= 1, "early stopping: patience is {}, expected at least 1",
                    options.patience);
}

bool EarlyStopping::observe(double value) {
  *improved_.mutable_data<std::int64_t>() = best_.observe(value) ? 1 : 0;
  return waited() >= patience_;
}

StateList EarlyStopping::state() const {
  StateList state = best_.state();
  state.push_back({"improved", improved_, {0, 1}});
  return state;
}

OptionList EarlyStopping::options() const {
  OptionList list{{"kind", "early_stopping"}};
  add_option(list, "patience", patience_);
  add_options(list, "", best_.options());
  return list;
}

std::string EarlyStopping::fault_in(const StateList& values) const {
  const std::int64_t waited = *values[1].tensor.data<std::int64_t>();
  return *values[2].tensor.data<std::int64_t>() == 1 && waited > 0
             ? fmt::format("improved is 1, expected 0 where waited is {}", waited)
             : std::string();
}

}  // namespace rw
