#include <algorithm>
#include <cmath>

#include <rewind/optim/reduce_on_plateau.hpp>

namespace rw {

ReduceOnPlateau::ReduceOnPlateau(Optimizer& optimizer, const ReduceOnPlateauOptions& options)
    : optimizer_(optimizer),
      options_(options),
      best_({.min_delta = options.min_delta,
             .relative = options.relative,
             .maximize = options.maximize},
            "reduce on plateau"),
      bad_observations_(zeros({}, DType::int64)),
      cooldown_(zeros({}, DType::int64)) {
  check<UsageError>(options.factor > 0 && options.factor < 1,
                    "reduce on plateau: factor is {}, expected more than 0 and less than 1",
                    options.factor);
  check<UsageError>(options.patience >= 0 && options.cooldown >= 0,
                    "reduce on plateau: patience is {} and cooldown {}, expected at least 0",
                    options.patience, options.cooldown);
  check<UsageError>(options.min_learning_rate >= 0 && std::isfinite(options.min_learning_rate),
                    "reduce on plateau: min_learning_rate is {}, expected at least 0 and finite",
                    options.min_learning_rate);
}

StateList ReduceOnPlateau::state() const {
  StateList state = best_.state();
  state.push_back(
      {"bad_observations", bad_observations_, {0, static_cast<double>(options_.patience)}});
  state.push_back({"cooldown", cooldown_, {0, static_cast<double>(options_.cooldown)}});
  return state;
}

OptionList ReduceOnPlateau::options() const {
  OptionList list{{"kind", "reduce_on_plateau"}};
  add_option(list, "factor", options_.factor);
  add_option(list, "patience", options_.patience);
  add_options(list, "", best_.options());
  add_option(list, "cooldown", options_.cooldown);
  add_option(list, "min_learning_rate", options_.min_learning_rate);
  return list;
}

bool ReduceOnPlateau::observe(double value) {
  std::int64_t& bad_observations = *bad_observations_.mutable_data<std::int64_t>();
  std::int64_t& cooldown = *cooldown_.mutable_data<std::int64_t>();
  bad_observations = best_.observe(value) ? 0 : bad_observations + 1;
  if (cooldown > 0) {
    --cooldown;
    bad_observations = 0;
  }
  if (bad_observations <= options_.patience) {
    return false;
  }
  cooldown = options_.cooldown;
  bad_observations = 0;
  const double before = optimizer_.learning_rate();
  // Never increases a rate that is already below the minimum.
  const double after =
      std::min(before, std::max(options_.factor * before, options_.min_learning_rate));
  optimizer_.set_learning_rate(after);
  return after < before;
}

}  // namespace rw
