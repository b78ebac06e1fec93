#include <rewind/optim/adagrad.hpp>
#include <rewind/optim/detail/element_loop.hpp>

namespace rw {

Adagrad::Adagrad(ParameterList parameters, const AdagradOptions& options)
    : Optimizer("adagrad", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("learning_rate_decay", options.learning_rate_decay, 0);
  add_option("initial_sum", options.initial_sum, 0);
  add_epsilon(options.epsilon);
  sum_of_squares_ = add_state("sum_of_squares", finite_from_zero, options.initial_sum);
  updates_ = add_counters("updates");
}

bool Adagrad::is_finite(std::size_t i, const Parameter& parameter) const {
  return dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto decay = static_cast<T>(decay_of(i));
    return detail::all_finite<T, 3>(parameter.value().elements(),
                                    {parameter.grad().data<T>(), parameter.value().data<T>(),
                                     state_data<T>(sum_of_squares_, i)},
                                    [=](auto g, const auto& w, const auto& sum) {
                                      g += decay * w;
                                      return sum + g * g;
                                    });
  });
}

void Adagrad::update(std::size_t i, Parameter& parameter) {
  const auto earlier = static_cast<double>((*updates_[i].mutable_data<std::int64_t>())++);
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto rate = static_cast<T>(rate_of(i) / (1 + earlier * options_.learning_rate_decay));
    const auto epsilon = static_cast<T>(options_.epsilon);
    const auto decay = static_cast<T>(decay_of(i));
    detail::for_each_register<T, 1, 2>(
        parameter.value().elements(), {parameter.grad().data<T>()},
        {parameter.mutable_data<T>(), state_data<T>(sum_of_squares_, i)},
        [=](auto g, auto& w, auto& sum_of_squares) {
          g += decay * w;
          sum_of_squares += g * g;
          w -= rate * g / (xsimd::sqrt(sum_of_squares) + epsilon);
        });
  });
}

}  // namespace rw
