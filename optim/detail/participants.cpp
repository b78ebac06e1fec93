#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <rewind/optim/detail/participants.hpp>

namespace rw::detail {
namespace {

struct Survey {
  std::int64_t nan = 0;
  std::int64_t infinite = 0;
  double largest = 0;      // of the finite elements
  double finite_norm = 0;  // over the finite elements
};

Survey survey(const Tensor& x) {
  Survey found;
  dispatch_floating(x.dtype(), [&](auto type) {
    const auto* data = x.data<decltype(type)>();
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      const auto value = static_cast<double>(data[i]);
      found.nan += std::isnan(value) ? 1 : 0;
      found.infinite += std::isinf(value) ? 1 : 0;
      if (std::isfinite(value)) {
        found.largest = std::max(found.largest, std::abs(value));
        found.finite_norm = std::hypot(found.finite_norm, value);
      }
    }
  });
  return found;
}

}  // namespace

void check_any_gradient(std::string_view who, const ParameterList& list) {
  const auto any = [&](bool (Parameter::*is)() const) {
    return std::any_of(list.begin(), list.end(),
                       [&](const NamedParameter& entry) { return ((*entry.parameter).*is)(); });
  };
  if (any(&Parameter::has_grad)) {
    return;
  }
  check<UsageError>(any(&Parameter::trainable),
                    "{}: all {} parameters are frozen, expected one that is trainable; call "
                    "set_trainable(true)",
                    who, list.size());
  throw UsageError(fmt::format(
      "{}: none of the {} parameters has a gradient, expected one from "
      "tape.backward(loss) of a loss that depends on them, with no zero_grad() "
      "since; was the model copied? A copy has parameters of its own, whose list ('{}', "
      "...) must be given to another {}",
      who, list.size(), list.front().path, who));
}

void check_gradient(std::string_view who, const NamedParameter& entry) {
  const Tensor& value = entry.parameter->value();
  const Tensor& gradient = entry.parameter->grad();
  check_shape(gradient.shape() == value.shape(),
              "{}: the gradient of '{}' has shape {}, expected its value's {}", who, entry.path,
              gradient.shape(), value.shape());
  check<UsageError>(gradient.dtype() == value.dtype() && gradient.is_contiguous(),
                    "{}: the gradient of '{}' is a {} {} tensor, expected a dense {} one; assign "
                    "gradients with set_grad()",
                    who, entry.path, gradient.is_contiguous() ? "dense" : "strided",
                    name_of(gradient.dtype()), name_of(value.dtype()));
}

void fail_non_finite(std::string_view who, const NamedParameter& entry, std::string_view when) {
  const Tensor& gradient = entry.parameter->grad();
  const Survey found = survey(gradient);
  check<NonFiniteError>(
      found.nan + found.infinite == 0,
      "{}: the gradient of '{}' holds {} NaN and {} infinite of {} values{} (norm of the others "
      "{:.4g}); nothing was changed; AnomalyMode finds the operation that made them",
      who, entry.path, found.nan, found.infinite, gradient.elements(), when, found.finite_norm);
  throw NonFiniteError(fmt::format(
      "{}: the gradient of '{}' is finite, but too large{}: norm {:.4g}, largest value {:.4g} "
      "(largest weight {:.4g}), and the computation overflows {}; nothing was changed; clip the "
      "gradient or scale the loss down",
      who, entry.path, when, found.finite_norm, found.largest,
      survey(entry.parameter->value()).largest, name_of(gradient.dtype())));
}

}  // namespace rw::detail
