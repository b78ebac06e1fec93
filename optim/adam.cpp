#include <cmath>

#include <rewind/optim/adam.hpp>
#include <rewind/optim/detail/bias_correction.hpp>
#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/detail/moments.hpp>

namespace rw {

Adam::Adam(ParameterList parameters, const AdamOptions& options)
    : Adam("adam", std::move(parameters), options, WeightDecay::in_gradient) {}

Adam::Adam(std::string_view name, ParameterList parameters, const AdamOptions& options,
           WeightDecay kind)
    : Optimizer(name, std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options),
      decoupled_(kind == WeightDecay::decoupled) {
  add_option("beta1", options.beta1, 0, 1);
  add_option("beta2", options.beta2, 0, 1);
  add_epsilon(options.epsilon);
  add_flag("amsgrad", options.amsgrad);
  first_moment_ = add_state("first_moment", finite_values);
  second_moment_ = add_state("second_moment", finite_from_zero);
  if (options.amsgrad) {
    largest_second_moment_ = add_state("largest_second_moment", finite_from_zero);
  }
  updates_ = add_counters("updates");
}

bool Adam::is_finite(std::size_t i, const Parameter& parameter) const {
  return detail::all_finite(parameter, decoupled_ ? 0 : decay_of(i), [](auto g) { return g * g; });
}

void Adam::update(std::size_t i, Parameter& parameter) {
  const auto t = static_cast<double>(++*updates_[i].mutable_data<std::int64_t>());
  const double rate = rate_of(i);
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto step = static_cast<T>(rate / detail::bias_correction(options_.beta1, t));
    const auto root_correction =
        static_cast<T>(1 / std::sqrt(detail::bias_correction(options_.beta2, t)));
    const detail::Moments<T> moments(options_.beta1, options_.beta2);
    const auto epsilon = static_cast<T>(options_.epsilon);
    const detail::Decay<T> decay(decay_of(i), rate, decoupled_);
    detail::for_each_register<T, 1, 4>(
        parameter.value().elements(), {parameter.grad().data<T>()},
        {parameter.mutable_data<T>(), state_data<T>(first_moment_, i),
         state_data<T>(second_moment_, i), state_data<T>(largest_second_moment_, i)},
        [=](auto g, auto& w, auto& first, auto& second, auto& largest) {
          decay.apply(g, w);
          moments.advance(g, first, second);
          // Without amsgrad `largest` always reads as 0, and a second moment is never negative.
          largest = xsimd::max(largest, second);
          w -= step * first / (root_correction * xsimd::sqrt(largest) + epsilon);
        });
  });
}

}  // namespace rw
