#include <cmath>

#include <rewind/optim/ada_belief.hpp>
#include <rewind/optim/detail/bias_correction.hpp>
#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/detail/moments.hpp>

namespace rw {

AdaBelief::AdaBelief(ParameterList parameters, const AdaBeliefOptions& options)
    : Optimizer("adabelief", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("beta1", options.beta1, 0, 1);
  add_option("beta2", options.beta2, 0, 1);
  add_epsilon(options.epsilon);
  add_flag("decoupled_weight_decay", options.decoupled_weight_decay);
  first_moment_ = add_state("first_moment", finite_values);
  deviation_ = add_state("deviation", finite_from_zero);
  updates_ = add_counters("updates");
}

bool AdaBelief::is_finite(std::size_t i, const Parameter& parameter) const {
  // A gradient may be as far from the mean as from a gradient of the same size and other sign.
  return detail::all_finite(parameter, options_.decoupled_weight_decay ? 0 : decay_of(i),
                            [](auto g) { return (g + g) * (g + g); });
}

void AdaBelief::update(std::size_t i, Parameter& parameter) {
  const auto t = static_cast<double>(++*updates_[i].mutable_data<std::int64_t>());
  const double rate = rate_of(i);
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto first_rate = static_cast<T>(1 - options_.beta1);
    const auto second_rate = static_cast<T>(1 - options_.beta2);
    const auto step = static_cast<T>(rate / detail::bias_correction(options_.beta1, t));
    const auto root_correction =
        static_cast<T>(1 / std::sqrt(detail::bias_correction(options_.beta2, t)));
    const auto epsilon = static_cast<T>(options_.epsilon);
    const detail::Decay<T> decay(decay_of(i), rate, options_.decoupled_weight_decay);
    detail::for_each_register<T, 1, 3>(
        parameter.value().elements(), {parameter.grad().data<T>()},
        {parameter.mutable_data<T>(), state_data<T>(first_moment_, i),
         state_data<T>(deviation_, i)},
        [=](auto g, auto& w, auto& first, auto& deviation) {
          decay.apply(g, w);
          first += first_rate * (g - first);
          const auto off = g - first;
          deviation += second_rate * (off * off - deviation) + epsilon;
          w -= step * first / (root_correction * xsimd::sqrt(deviation) + epsilon);
        });
  });
}

}  // namespace rw
