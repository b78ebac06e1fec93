#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <rewind/autograd/tensor/launch.hpp>
#include <rewind/optim/detail/participants.hpp>
#include <rewind/optim/optimizer.hpp>

namespace rw {

Optimizer::Optimizer(std::string_view name, ParameterList parameters, double learning_rate,
                     double weight_decay)
    : parameters_(name, std::move(parameters)),
      settings_(parameters_.size(), Settings{{}, weight_decay}),
      learning_rate_(scalar(learning_rate, DType::float64)),
      steps_(zeros({}, DType::int64)),
      state_{{"learning_rate", learning_rate_, finite_from_zero}, {"step", steps_, counts}} {
  check_range("learning_rate", learning_rate, 0);
  add_option("weight_decay", weight_decay, 0);
}

void Optimizer::set_learning_rate(double learning_rate) {
  check_range("learning_rate", learning_rate, 0);
  *learning_rate_.mutable_data<double>() = learning_rate;
}

double Optimizer::scheduled_learning_rate() const {
  const double factor = schedule_(steps());
  const double rate = learning_rate() * factor;
  check<UsageError>(factor >= 0 && std::isfinite(rate),
                    "{}: the schedule's factor at step {} is {}, expected at least 0 and finite",
                    parameters_.owner(), steps(), factor);
  return rate;
}

void Optimizer::add_group(const ParameterGroup& group) {
  const auto is_ours = [&](const Group& other) { return other.name == group.name; };
  check<UsageError>(!group.name.empty() && group.name.find('/') == std::string::npos &&
                        std::none_of(groups_.begin(), groups_.end(), is_ours),
                    "{}: '{}' cannot be a name for a group; expected a unique name, not empty, "
                    "without '/'",
                    parameters_.owner(), group.name);
  check<UsageError>(group.contains && (group.learning_rate_factor || group.weight_decay),
                    "{}: group '{}' sets nothing; give `contains`, and a learning_rate_factor or a "
                    "weight_decay",
                    parameters_.owner(), group.name);
  check_range("learning_rate_factor", group.learning_rate_factor.value_or(1), 0);
  check_range("weight_decay", group.weight_decay.value_or(0), 0);

  Group added{group.name, {}, group.weight_decay, {}};
  if (group.learning_rate_factor) {
    added.learning_rate_factor = scalar(*group.learning_rate_factor, DType::float64);
  }
  std::vector<Settings> settings = settings_;
  std::size_t members = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (group.contains(parameters_[i])) {
      added.parameters += (members++ == 0 ? "" : ", ") + parameters_[i].path;
      settings[i].weight_decay = group.weight_decay.value_or(settings[i].weight_decay);
      if (added.learning_rate_factor.defined()) {
        settings[i].learning_rate_factor = added.learning_rate_factor;
      }
    }
  }
  check<UsageError>(members > 0,
                    "{}: group '{}' contains none of the {} parameters, the first of which is "
                    "'{}'; correct `contains`",
                    parameters_.owner(), group.name, parameters_.size(), parameters_[0].path);
  groups_.reserve(groups_.size() + 1);
  if (added.learning_rate_factor.defined()) {
    state_.push_back(
        {"learning_rate_factor/" + group.name, added.learning_rate_factor, finite_from_zero});
  }
  groups_.push_back(std::move(added));
  settings_ = std::move(settings);
}

const Optimizer::Group& Optimizer::group_with_factor(std::string_view name) const {
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
    return group.name == name && group.learning_rate_factor.defined();
  });
  check<UsageError>(found != groups_.end(),
                    "{}: no group '{}' has a learning_rate_factor; give it to add_group()",
                    parameters_.owner(), name);
  return *found;
}

double Optimizer::learning_rate_factor(std::string_view group) const {
  return group_with_factor(group).learning_rate_factor.item();
}

void Optimizer::set_learning_rate_factor(std::string_view group, double factor) {
  Tensor tensor = group_with_factor(group).learning_rate_factor;
  check_range("learning_rate_factor", factor, 0);
  *tensor.mutable_data<double>() = factor;
}

OptionList Optimizer::options() const {
  OptionList list{{"kind", std::string(parameters_.owner())}};
  list.insert(list.end(), options_.begin(), options_.end());
  list.push_back({"schedule", schedule_.text()});
  std::string order;
  for (const Group& group : groups_) {
    order += (order.empty() ? "" : ", ") + group.name;
  }
  if (!groups_.empty()) {
    list.push_back({"group_order", order});
  }
  for (const Group& group : groups_) {
    list.push_back({"group/" + group.name + "/parameters", group.parameters});
    if (group.weight_decay) {
      rw::add_option(list, "group/" + group.name + "/weight_decay", *group.weight_decay);
    }
  }
  return list;
}

void Optimizer::check_range(std::string_view option, double value, double lower,
                            double upper) const {
  check<UsageError>(value >= lower && value < upper,
                    "{}: {} is {}, expected at least {} and less than {}", parameters_.owner(),
                    option, value, lower, upper);
}

void Optimizer::add_option(std::string_view option, double value, double lower, double upper) {
  check_range(option, value, lower, upper);
  rw::add_option(options_, option, value);
}

void Optimizer::add_epsilon(double epsilon) {
  add_option("epsilon", epsilon, static_cast<double>(std::numeric_limits<float>::min()));
}

void Optimizer::add_flag(std::string_view option, bool value) {
  rw::add_option(options_, option, value);
}

std::vector<Tensor> Optimizer::add_state(std::string_view name, const ValueRange& range,
                                         double initial) {
  return detail::append_state(state_, parameters(), name, range, [=](const Parameter& parameter) {
    return full(parameter.shape(), initial, parameter.dtype());
  });
}

std::vector<Tensor> Optimizer::add_copies(std::string_view name) {
  return detail::append_state(
      state_, parameters(), name, any_values,
      [](const Parameter& parameter) { return detail::copy_of(parameter.value()); });
}

std::vector<Tensor> Optimizer::add_counters(std::string_view name) {
  return detail::append_state(state_, parameters(), name, counts,
                              [](const Parameter&) { return zeros({}, DType::int64); });
}

std::vector<Tensor> Optimizer::add_numbers(std::string_view name, const ValueRange& range,
                                           double initial) {
  return detail::append_state(state_, parameters(), name, range,
                              [=](const Parameter&) { return scalar(initial, DType::float64); });
}

double Optimizer::rate_of(std::size_t i) const {
  const Tensor& factor = settings_[i].learning_rate_factor;
  return factor.defined() ? rate_ * factor.item() : rate_;
}

void Optimizer::step() {
  detail::refuse_in_capture("the optimizer takes a step");
  rate_ = scheduled_learning_rate();
  detail::check_any_gradient(parameters_.owner(), parameters());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const NamedParameter& entry = parameters_[i];
    if (detail::takes_part(*entry.parameter)) {
      parameters_.check_form(i);
      detail::check_gradient(parameters_.owner(), entry);
      if (!is_finite(i, *entry.parameter)) {
        detail::fail_non_finite(parameters_.owner(), entry,
                                fmt::format(" at step {}", steps() + 1));
      }
    }
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (detail::takes_part(*parameters_[i].parameter)) {
      update(i, *parameters_[i].parameter);
      detail::end_loan(parameters_[i].parameter->value());
    }
  }
  ++*steps_.mutable_data<std::int64_t>();
}

}  // namespace rw
