#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/optim/clip.hpp>
#include <rewind/optim/detail/participants.hpp>
#include <rewind/optim/trainer.hpp>

namespace rw {
namespace {

/// Turns the weighted sum of several batches' gradients into their mean.
void divide_gradients(const ParameterList& list, double weight) {
  for (const NamedParameter& entry : list) {
    if (!detail::takes_part(*entry.parameter)) {
      continue;
    }
    detail::check_gradient("trainer", entry);
    Tensor& gradient = entry.parameter->mutable_grad();
    dispatch_floating(gradient.dtype(), [&](auto type) {
      using T = decltype(type);
      T* const data = gradient.mutable_data<T>();
      for (std::int64_t i = 0, n = gradient.elements(); i < n; ++i) {
        data[i] /= static_cast<T>(weight);
      }
    });
  }
}

}  // namespace

double detail::checked_loss(std::string_view who, const WeightedLoss& loss) {
  check<UsageError>(loss.weight > 0 && std::isfinite(loss.weight),
                    "{}: a batch has the weight {}, expected more than 0 and finite; leave out "
                    "batches without examples",
                    who, loss.weight);
  return loss.loss.item();
}

void detail::fail_without_batches(std::string_view where) {
  throw UsageError(
      fmt::format("{}: the batches have size() 0; there are no examples, or drop_last dropped "
                  "the only, incomplete batch",
                  where));
}

Trainer::Trainer(Optimizer& optimizer, TrainerOptions options)
    : optimizer_(optimizer),
      options_(std::move(options)),
      stopping_({.patience = options_.patience.value_or(std::numeric_limits<std::int64_t>::max()),
                 .min_delta = options_.min_delta,
                 .maximize = options_.maximize}),
      autosave_(options_.checkpoints),
      epochs_(zeros({}, DType::int64)),
      batches_(zeros({}, DType::int64)),
      loss_(zeros({}, DType::float64)),
      weight_(zeros({}, DType::float64)),
      learning_rate_(zeros({}, DType::float64)) {
  check<UsageError>(options_.epochs >= 0, "trainer: epochs is {}, expected at least 0",
                    options_.epochs);
  check<UsageError>(options_.accumulate >= 1, "trainer: accumulate is {}, expected at least 1",
                    options_.accumulate);
  check<UsageError>(options_.every >= 0,
                    "trainer: every is {}, expected at least 1, or 0 for about twenty lines",
                    options_.every);
  check<UsageError>(!options_.clip_norm || *options_.clip_norm > 0,
                    "trainer: clip_norm is {}, expected more than 0; leave it out for no clipping",
                    options_.clip_norm.value_or(0));
  if (options_.plateau) {
    options_.plateau->maximize = options_.maximize;
    plateau_.emplace(optimizer, *options_.plateau);
  }
}

Trainer::Running::Running(Trainer& trainer) : trainer_(trainer) {
  check<UsageError>(!trainer.bar_, "trainer: fit() was called while fit() is running");
  trainer.bar_.emplace(trainer.options_.label, trainer.options_.output);
  trainer.accumulated_ = 0;
  trainer.batches_done_ = 0;
  trainer.interrupted_ = false;
}

Trainer::Running::~Running() {
  trainer_.bar_.reset();
  try {
    trainer_.print_kept_line();  // after an exception
  } catch (const std::exception&) {
    trainer_.kept_line_.clear();  // the output is broken, and another exception is in flight
  }
}

bool Trainer::stopped_early() const {
  return options_.patience && stopping_.waited() >= *options_.patience;
}

StateList Trainer::state() const {
  StateList state{{"epochs", epochs_, counts},
                  {"batches", batches_, counts},
                  {"loss", loss_, finite_values},
                  {"weight", weight_, finite_from_zero},
                  {"learning_rate", learning_rate_, finite_from_zero}};
  const auto append = [&](const std::string& name, const StateList& part) {
    for (const StateEntry& entry : part) {
      state.push_back({name + "/" + entry.path, entry.tensor, entry.range});
    }
  };
  append("stopping", stopping_.state());
  if (plateau_) {
    append("plateau", plateau_->state());
  }
  return state;
}

OptionList Trainer::options() const {
  OptionList list{{"kind", "trainer"}};
  add_option(list, "clip_norm", options_.clip_norm);
  add_option(list, "accumulate", options_.accumulate);
  add_option(list, "validate", static_cast<bool>(options_.validate));
  add_option(list, "maximize", options_.maximize);
  add_option(list, "min_delta", options_.min_delta);
  add_option(list, "patience", options_.patience);
  add_option(list, "plateau", plateau_.has_value());
  if (plateau_) {
    add_options(list, "plateau", plateau_->options());
  }
  return list;
}

std::string Trainer::fault_in(const StateList& values) const {
  const std::int64_t batches = *values[1].tensor.data<std::int64_t>();
  const double loss = values[2].tensor.item();
  const double weight = values[3].tensor.item();
  if ((batches > 0) != (weight > 0) || (batches == 0 && loss != 0)) {
    return fmt::format(
        "weight is {} and loss {} with {} batches, expected both 0 without batches "
        "and a weight above 0 with some",
        weight, loss, batches);
  }
  StateList stopping;
  for (const StateEntry& entry : values) {
    if (entry.path.starts_with("stopping/")) {
      stopping.push_back(entry);
    }
  }
  const std::string fault = stopping_.fault_in(stopping);
  return fault.empty() ? fault : "stopping/" + fault;
}

bool Trainer::goes_on() {
  if (interrupted_ || epochs_done() >= options_.epochs || stopped_early()) {
    return false;
  }
  interrupted_ = options_.stop && options_.stop();
  return !interrupted_;
}

void Trainer::forget_epoch() {
  *batches_.mutable_data<std::int64_t>() = 0;
  *loss_.mutable_data<double>() = 0;
  *weight_.mutable_data<double>() = 0;
}

void Trainer::fail_non_finite(const std::string& what) const {
  throw NonFiniteError(fmt::format(
      "trainer: epoch {}, batch {}, step {}: {}; the weights are those of the previous step; "
      "lower the learning rate, or limit the gradients with clip_norm",
      epoch(), batches() + 1, optimizer_.steps() + 1, what));
}

bool Trainer::train_on(const std::function<WeightedLoss()>& step) {
  double loss = 0;
  double weight = 0;
  {
    Tape tape;
    const WeightedLoss result = step();
    loss = detail::checked_loss("trainer", result);
    weight = result.weight;
    if (!std::isfinite(loss)) {
      fail_non_finite(fmt::format("the loss is {}", loss));
    }
    if (accumulated_ == 0) {
      optimizer_.zero_grad();
      first_weight_ = weight;
      accumulated_weight_ = 0;
    }
    // Relative to the first weight, so that batches of equal size accumulate without scaling.
    const double multiple = weight / first_weight_;
    tape.backward(multiple == 1 ? result.loss : result.loss * multiple);
    accumulated_weight_ += multiple;
  }
  if (++accumulated_ == options_.accumulate) {
    update();
  }
  ++*batches_.mutable_data<std::int64_t>();
  *loss_.mutable_data<double>() += weight * loss;
  *weight_.mutable_data<double>() += weight;
  ++batches_done_;
  draw_bar();
  if (accumulated_ > 0) {
    return true;  // between updates nothing is complete that could be saved
  }
  autosave_.after_step();
  interrupted_ = options_.stop && options_.stop();
  return !interrupted_;
}

void Trainer::update() {
  if (accumulated_ > 1) {
    divide_gradients(optimizer_.parameters(), accumulated_weight_);
  }
  try {
    if (options_.clip_norm) {
      clip_by_norm(optimizer_.parameters(), *options_.clip_norm);
    }
    *learning_rate_.mutable_data<double>() = optimizer_.scheduled_learning_rate();
    optimizer_.step();
  } catch (const NonFiniteError& error) {
    fail_non_finite(error.what());
  }
  accumulated_ = 0;
}

void Trainer::end_epoch() {
  check<UsageError>(batches() > 0,
                    "trainer: there is no batch in epoch {}; a range that can be iterated only "
                    "once must be created for each epoch, by a function",
                    epoch());
  if (accumulated_ > 0) {
    update();
  }
  std::optional<double> validation;
  if (options_.validate) {
    const StopRecording no_tape;
    bar_->erase();
    validation = options_.validate();
  }
  const double loss = loss_.item() / weight_.item();
  history_.erase_from(epoch());
  history_.add("loss", epoch(), loss);
  if (validation) {
    history_.add("validation", epoch(), *validation);
  }
  history_.add("learning_rate", epoch(), learning_rate_.item());
  stopping_.observe(validation.value_or(loss));
  if (plateau_) {
    plateau_->observe(validation.value_or(loss));
  }
  batches_per_epoch_ = batches();
  ++*epochs_.mutable_data<std::int64_t>();
  forget_epoch();
  print_epoch(loss, validation);
  if (stopping_.improved() && options_.on_best) {
    options_.on_best();
  }
  autosave_.after_epoch();
}

void Trainer::draw_bar() {
  const std::int64_t left = (options_.epochs - epochs_done()) * batches_per_epoch_ - batches();
  bar_->update(batches_done_, batches_per_epoch_ > 0 ? batches_done_ + left : 0,
               loss_.item() / weight_.item());
}

void Trainer::print_epoch(double loss, const std::optional<double>& validation) {
  if (options_.output == nullptr) {
    return;
  }
  std::string line = fmt::format(
      "{:>8}  epoch {:3}   loss {:.5f}{}   rate {:.3g}   {:6.1f} s{}\n", options_.label,
      epochs_done(), loss, validation ? fmt::format("   validation {:.5f}", *validation) : "",
      learning_rate_.item(), bar_->seconds(), stopping_.improved() ? "   best" : "");
  if (stopping_.improved()) {
    kept_line_.clear();
  } else {
    print_kept_line();
  }
  const std::int64_t every = options_.every > 0 ? options_.every : (options_.epochs + 19) / 20;
  const bool last = epochs_done() >= options_.epochs || stopped_early();
  if (last || stopping_.improved() || epochs_done() % every == 0) {
    kept_line_ = std::move(line);
  }
  if (last || epochs_done() % every == 0) {
    print_kept_line();
  }
}

void Trainer::print_kept_line() {
  if (!kept_line_.empty()) {
    fmt::print(options_.output, "{}", std::exchange(kept_line_, {}));
    std::fflush(options_.output);
  }
}

void Trainer::print_end() {
  if (options_.output == nullptr) {
    return;
  }
  bar_->erase();
  print_kept_line();
  std::string why;
  if (interrupted_ && batches() > 0) {
    why = fmt::format("stopped in epoch {} after {} batches", epoch(), batches());
  } else if (interrupted_) {
    why = fmt::format("stopped after {} of {} epochs", epochs_done(), options_.epochs);
  } else if (stopped_early()) {
    why = fmt::format("ended: no improvement in {} epochs", stopping_.waited());
  } else {
    why = fmt::format("ended: all {} epochs done", options_.epochs);
  }
  if (!interrupted_ && std::isfinite(best())) {
    why += fmt::format("; {} {} {:.5f} in epoch {}", options_.maximize ? "highest" : "lowest",
                       options_.validate ? "validation" : "loss", best(),
                       epochs_done() - stopping_.waited());
  }
  fmt::print(options_.output, "{:>8}  {}\n", options_.label, why);
  std::fflush(options_.output);
}

}  // namespace rw
