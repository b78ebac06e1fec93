#include <rewind/optim/adamax.hpp>
#include <rewind/optim/detail/bias_correction.hpp>
#include <rewind/optim/detail/element_loop.hpp>

namespace rw {

Adamax::Adamax(ParameterList parameters, const AdamaxOptions& options)
    : Optimizer("adamax", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("beta1", options.beta1, 0, 1);
  add_option("beta2", options.beta2, 0, 1);
  add_epsilon(options.epsilon);
  first_moment_ = add_state("first_moment", finite_values);
  largest_ = add_state("largest", finite_from_zero);
  updates_ = add_counters("updates");
}

bool Adamax::is_finite(std::size_t i, const Parameter& parameter) const {
  // The difference of two gradients must be finite as well.
  return detail::all_finite(parameter, decay_of(i), [](auto g) { return g + g; });
}

void Adamax::update(std::size_t i, Parameter& parameter) {
  const auto t = static_cast<double>(++*updates_[i].mutable_data<std::int64_t>());
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto rate = static_cast<T>(rate_of(i) / detail::bias_correction(options_.beta1, t));
    const auto first_rate = static_cast<T>(1 - options_.beta1);
    const auto beta2 = static_cast<T>(options_.beta2);
    const auto epsilon = static_cast<T>(options_.epsilon);
    const auto decay = static_cast<T>(decay_of(i));
    detail::for_each_register<T, 1, 3>(
        parameter.value().elements(), {parameter.grad().data<T>()},
        {parameter.mutable_data<T>(), state_data<T>(first_moment_, i), state_data<T>(largest_, i)},
        [=](auto g, auto& w, auto& first, auto& largest) {
          g += decay * w;
          first += first_rate * (g - first);
          largest = simd::maximum(beta2 * largest, xsimd::abs(g) + epsilon);
          w -= rate * first / largest;
        });
  });
}

}  // namespace rw
