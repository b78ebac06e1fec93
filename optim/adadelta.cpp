#include <rewind/optim/adadelta.hpp>
#include <rewind/optim/detail/element_loop.hpp>

namespace rw {

Adadelta::Adadelta(ParameterList parameters, const AdadeltaOptions& options)
    : Optimizer("adadelta", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("rho", options.rho, 0, 1);
  add_epsilon(options.epsilon);
  mean_square_ = add_state("mean_square", finite_from_zero);
  mean_square_step_ = add_state("mean_square_step", finite_from_zero);
}

bool Adadelta::is_finite(std::size_t i, const Parameter& parameter) const {
  return detail::all_finite(parameter, decay_of(i), [](auto g) { return g * g; });
}

void Adadelta::update(std::size_t i, Parameter& parameter) {
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto rate = static_cast<T>(rate_of(i));
    const auto square_rate = static_cast<T>(1 - options_.rho);
    const auto epsilon = static_cast<T>(options_.epsilon);
    const auto decay = static_cast<T>(decay_of(i));
    detail::for_each_register<T, 1, 3>(
        parameter.value().elements(), {parameter.grad().data<T>()},
        {parameter.mutable_data<T>(), state_data<T>(mean_square_, i),
         state_data<T>(mean_square_step_, i)},
        [=](auto g, auto& w, auto& mean_square, auto& mean_square_step) {
          g += decay * w;
          mean_square += square_rate * (g * g - mean_square);
          const auto step =
              xsimd::sqrt(mean_square_step + epsilon) / xsimd::sqrt(mean_square + epsilon) * g;
          mean_square_step += square_rate * (step * step - mean_square_step);
          w -= rate * step;
        });
  });
}

}  // namespace rw
