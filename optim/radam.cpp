#include <cmath>

#include <rewind/optim/detail/bias_correction.hpp>
#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/detail/moments.hpp>
#include <rewind/optim/radam.hpp>

namespace rw {
namespace {

/// r sqrt(1 - beta2^t), or 0 if the second moment is not used yet.
double rectification(double beta2, double t) {
  const double correction = detail::bias_correction(beta2, t);
  const double limit = 2 / (1 - beta2) - 1;
  const double length = limit - 2 * t * (1 - correction) / correction;
  if (length <= 5) {
    return 0;
  }
  return std::sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length) *
                   correction);
}

}  // namespace

RAdam::RAdam(ParameterList parameters, const RAdamOptions& options)
    : Optimizer("radam", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("beta1", options.beta1, 0, 1);
  add_option("beta2", options.beta2, 0, 1);
  add_epsilon(options.epsilon);
  add_flag("decoupled_weight_decay", options.decoupled_weight_decay);
  first_moment_ = add_state("first_moment", finite_values);
  second_moment_ = add_state("second_moment", finite_from_zero);
  updates_ = add_counters("updates");
}

bool RAdam::is_finite(std::size_t i, const Parameter& parameter) const {
  return detail::all_finite(parameter, options_.decoupled_weight_decay ? 0 : decay_of(i),
                            [](auto g) { return g * g; });
}

void RAdam::update(std::size_t i, Parameter& parameter) {
  const auto t = static_cast<double>(++*updates_[i].mutable_data<std::int64_t>());
  const double rectified = rectification(options_.beta2, t);
  const double rate = rate_of(i);
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const bool adaptive = rectified > 0;
    const auto step = static_cast<T>(rate / detail::bias_correction(options_.beta1, t) *
                                     (adaptive ? rectified : 1));
    const detail::Moments<T> moments(options_.beta1, options_.beta2);
    const auto epsilon = static_cast<T>(options_.epsilon);
    const detail::Decay<T> decay(decay_of(i), rate, options_.decoupled_weight_decay);
    detail::for_each_register<T, 1, 3>(
        parameter.value().elements(), {parameter.grad().data<T>()},
        {parameter.mutable_data<T>(), state_data<T>(first_moment_, i),
         state_data<T>(second_moment_, i)},
        [=](auto g, auto& w, auto& first, auto& second) {
          decay.apply(g, w);
          moments.advance(g, first, second);
          w -= adaptive ? step * first / (xsimd::sqrt(second) + epsilon) : step * first;
        });
  });
}

}  // namespace rw
