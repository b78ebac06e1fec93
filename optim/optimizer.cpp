#include <algorithm>

#include <fmt/format.h>

#include <rewind/optim/detail/participants.hpp>
#include <rewind/optim/optimizer.hpp>

namespace rw {

Optimizer::Optimizer(std::string_view name, ParameterList parameters, double learning_rate)
    : name_(name),
      parameters_(std::move(parameters)),
      learning_rate_(scalar(learning_rate, DType::float64)),
      steps_(zeros({}, DType::int64)),
      state_{{"learning_rate", learning_rate_}, {"step", steps_}} {
  check_option("learning_rate", learning_rate, 0);
  check<UsageError>(!parameters_.empty(), "{}: got no parameters, expected at least one", name_);
  forms_.reserve(parameters_.size());
  for (auto entry = parameters_.begin(); entry != parameters_.end(); ++entry) {
    const auto twin = std::find_if(parameters_.begin(), entry, [&](const NamedParameter& other) {
      return other.parameter == entry->parameter || other.path == entry->path;
    });
    check<UsageError>(twin == entry,
                      "{}: '{}' and '{}' are one parameter or have one path; list each parameter "
                      "once, under a path of its own",
                      name_, twin->path, entry->path);
    forms_.push_back({entry->parameter->shape(), entry->parameter->dtype()});
  }
}

void Optimizer::set_learning_rate(double learning_rate) {
  check_option("learning_rate", learning_rate, 0);
  *learning_rate_.mutable_data<double>() = learning_rate;
}

void Optimizer::check_option(std::string_view option, double value, double lower,
                             double upper) const {
  check<UsageError>(value >= lower && value < upper,
                    "{}: {} is {}, expected at least {} and less than {}", name_, option, value,
                    lower, upper);
}

void Optimizer::check_epsilon(double epsilon) const {
  check_option("epsilon", epsilon, static_cast<double>(std::numeric_limits<float>::min()));
}

std::vector<Tensor> Optimizer::add_state(std::string_view name, double initial) {
  std::vector<Tensor> tensors;
  for (const NamedParameter& entry : parameters_) {
    const Parameter& parameter = *entry.parameter;
    tensors.push_back(full(parameter.shape(), initial, parameter.dtype()));
    state_.push_back({fmt::format("{}/{}", name, entry.path), tensors.back()});
  }
  return tensors;
}

std::vector<Tensor> Optimizer::add_counters(std::string_view name) {
  std::vector<Tensor> tensors;
  for (const NamedParameter& entry : parameters_) {
    tensors.push_back(zeros({}, DType::int64));
    state_.push_back({fmt::format("{}/{}", name, entry.path), tensors.back()});
  }
  return tensors;
}

void Optimizer::check_form(std::size_t i) const {
  const NamedParameter& entry = parameters_[i];
  const Form& form = forms_[i];
  const Tensor& value = entry.parameter->value();
  check<UsageError>(value.shape() == form.shape && value.dtype() == form.dtype,
                    "{}: parameter '{}' is now {} {}, expected {} {} as when the optimiser was "
                    "made; make a new optimiser for a changed model",
                    name_, entry.path, name_of(value.dtype()), value.shape(), name_of(form.dtype),
                    form.shape);
  detail::check_gradient(name_, entry);
}

void Optimizer::step() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const NamedParameter& entry = parameters_[i];
    if (detail::takes_part(*entry.parameter)) {
      check_form(i);
      if (!is_finite(i, *entry.parameter)) {
        detail::fail_non_finite(name_, entry, fmt::format(" at step {}", steps() + 1));
      }
    }
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (detail::takes_part(*parameters_[i].parameter)) {
      update(i, *parameters_[i].parameter);
    }
  }
  ++*steps_.mutable_data<std::int64_t>();
}

}  // namespace rw
