#include <cmath>

#include <rewind/optim/detail/bias_correction.hpp>
#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/detail/moments.hpp>
#include <rewind/optim/nadam.hpp>

namespace rw {

NAdam::NAdam(ParameterList parameters, const NAdamOptions& options)
    : Optimizer("nadam", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("beta1", options.beta1, 0, 1);
  add_option("beta2", options.beta2, 0, 1);
  add_epsilon(options.epsilon);
  add_option("momentum_decay", options.momentum_decay, 0);
  add_flag("decoupled_weight_decay", options.decoupled_weight_decay);
  first_moment_ = add_state("first_moment", finite_values);
  second_moment_ = add_state("second_moment", finite_from_zero);
  momentum_product_ = add_numbers("momentum_product", {0, 1}, 1);
  updates_ = add_counters("updates");
}

bool NAdam::is_finite(std::size_t i, const Parameter& parameter) const {
  return detail::all_finite(parameter, options_.decoupled_weight_decay ? 0 : decay_of(i),
                            [](auto g) { return g * g; });
}

void NAdam::update(std::size_t i, Parameter& parameter) {
  const auto t = static_cast<double>(++*updates_[i].mutable_data<std::int64_t>());
  const auto momentum = [&](double update) {
    return options_.beta1 * (1 - 0.5 * std::pow(0.96, update * options_.momentum_decay));
  };
  double& product = *momentum_product_[i].mutable_data<double>();
  product *= momentum(t);
  const double rate = rate_of(i);
  const double gradient_part = rate * (1 - momentum(t)) / (1 - product);
  const double moment_part = rate * momentum(t + 1) / (1 - product * momentum(t + 1));
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto from_gradient = static_cast<T>(gradient_part);
    const auto from_moment = static_cast<T>(moment_part);
    const auto root_correction =
        static_cast<T>(1 / std::sqrt(detail::bias_correction(options_.beta2, t)));
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
          w -= (from_gradient * g + from_moment * first) /
               (root_correction * xsimd::sqrt(second) + epsilon);
        });
  });
}

}  // namespace rw
