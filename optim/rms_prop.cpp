#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/rms_prop.hpp>

namespace rw {

RmsProp::RmsProp(ParameterList parameters, const RmsPropOptions& options)
    : Optimizer("rmsprop", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("alpha", options.alpha, 0, 1);
  add_epsilon(options.epsilon);
  add_option("momentum", options.momentum, 0);
  add_flag("centered", options.centered);
  mean_square_ = add_state("mean_square", finite_from_zero);
  if (options.centered) {
    mean_gradient_ = add_state("mean_gradient", finite_values);
  }
  if (options.momentum > 0) {
    velocity_ = add_state("velocity", finite_values);
  }
}

bool RmsProp::is_finite(std::size_t i, const Parameter& parameter) const {
  return detail::all_finite(parameter, decay_of(i), [](auto g) { return g * g; });
}

void RmsProp::update(std::size_t i, Parameter& parameter) {
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto rate = static_cast<T>(rate_of(i));
    const auto square_rate = static_cast<T>(1 - options_.alpha);
    const auto gradient_rate = static_cast<T>(options_.centered ? 1 - options_.alpha : 0);
    const auto epsilon = static_cast<T>(options_.epsilon);
    const auto momentum = static_cast<T>(options_.momentum);
    const auto decay = static_cast<T>(decay_of(i));
    detail::for_each_register<T, 1, 4>(
        parameter.value().elements(), {parameter.grad().data<T>()},
        {parameter.mutable_data<T>(), state_data<T>(mean_square_, i),
         state_data<T>(mean_gradient_, i), state_data<T>(velocity_, i)},
        [=](auto g, auto& w, auto& mean_square, auto& mean_gradient, auto& velocity) {
          using V = decltype(g);
          g += decay * w;
          mean_square += square_rate * (g * g - mean_square);
          mean_gradient += gradient_rate * (g - mean_gradient);
          const V variance = simd::maximum(mean_square - mean_gradient * mean_gradient, V(T(0)));
          velocity = momentum * velocity + g / (xsimd::sqrt(variance) + epsilon);
          w -= rate * velocity;
        });
  });
}

}  // namespace rw
