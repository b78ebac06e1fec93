#include <algorithm>
#include <cmath>

#include <rewind/optim/clip.hpp>
#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/detail/participants.hpp>
#include <rewind/optim/detail/sum_of_squares.hpp>

namespace rw {
namespace {

/// Calls body(entry, gradient) for each gradient to be clipped.
template <class Body>
void for_each_gradient(const ParameterList& list, Body&& body) {
  for (const NamedParameter& entry : list) {
    if (detail::takes_part(*entry.parameter)) {
      body(entry, entry.parameter->mutable_grad());
    }
  }
}

void check_finite(const char* who, const ParameterList& list) {
  for_each_gradient(list, [&](const NamedParameter& entry, const Tensor&) {
    if (!detail::all_finite(*entry.parameter, 0, [](auto g) { return g; })) {
      detail::fail_non_finite(who, entry, "");
    }
  });
}

void check_forms(const char* who, const ParameterList& list) {
  for_each_gradient(list, [&](const NamedParameter& entry, const Tensor&) {
    detail::check_gradient(who, entry);
  });
}

/// Replaces x by change(x), computed in float64, in all gradients.
template <class Change>
void change_gradients(const ParameterList& list, Change&& change) {
  for_each_gradient(list, [&](const NamedParameter&, Tensor& gradient) {
    dispatch_floating(gradient.dtype(), [&](auto type) {
      using T = decltype(type);
      T* const data = gradient.mutable_data<T>();
      for (std::int64_t i = 0, n = gradient.elements(); i < n; ++i) {
        data[i] = static_cast<T>(change(static_cast<double>(data[i])));
      }
    });
  });
}

double scaled_norm(const ParameterList& list, double scale) {
  double sum = 0;
  for_each_gradient(list, [&](const NamedParameter&, const Tensor& gradient) {
    sum += dispatch_floating(gradient.dtype(), [&](auto type) {
      return detail::sum_of_squares(gradient.data<decltype(type)>(), gradient.elements(), scale);
    });
  });
  return std::sqrt(sum) / scale;
}

double largest_of(const ParameterList& list) {
  double largest = 0;
  for_each_gradient(list, [&](const NamedParameter&, const Tensor& gradient) {
    dispatch_floating(gradient.dtype(), [&](auto type) {
      const auto* data = gradient.data<decltype(type)>();
      for (std::int64_t i = 0; i < gradient.elements(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(data[i])));
      }
    });
  });
  return largest;
}

/// The norm of all gradients. Throws NonFiniteError when it is not finite.
double finite_norm(const char* who, const ParameterList& list) {
  // Squares of float32 values always fit in float64; squares of float64 values may not. Scaling by
  // a power of two does not round.
  constexpr double smallest_safe = 1e-140;
  double norm = scaled_norm(list, 1);
  if (!(norm >= smallest_safe && std::isfinite(norm))) [[unlikely]] {
    check_finite(who, list);
    int exponent = 0;
    std::frexp(largest_of(list), &exponent);
    norm = scaled_norm(list, std::ldexp(1.0, -std::max(exponent, -1000)));
  }
  check<NonFiniteError>(std::isfinite(norm),
                        "{}: the gradients are finite, but their norm overflows float64; nothing "
                        "was changed; scale the loss down",
                        who);
  return norm;
}

}  // namespace

double clip_by_norm(const ParameterList& list, double upper, double lower) {
  check<UsageError>(0 <= lower && lower <= upper && 0 < upper,
                    "clip_by_norm: got bounds {} and {}, expected 0 <= lower <= upper, 0 < upper",
                    lower, upper);
  check_forms("clip_by_norm", list);
  const double norm = finite_norm("clip_by_norm", list);
  const double bounded = std::clamp(norm, lower, upper);
  if (norm > 0 && bounded != norm) {
    change_gradients(list, [=](double g) { return g / norm * bounded; });
  }
  return norm;
}

void clip_by_value(const ParameterList& list, double bound) {
  check<UsageError>(bound > 0, "clip_by_value: got bound {}, expected more than 0", bound);
  check_forms("clip_by_value", list);
  check_finite("clip_by_value", list);
  change_gradients(list, [=](double g) { return std::clamp(g, -bound, bound); });
}

}  // namespace rw
