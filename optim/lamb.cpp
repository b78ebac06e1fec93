#include <algorithm>
#include <array>
#include <cmath>

#include <rewind/optim/detail/bias_correction.hpp>
#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/detail/moments.hpp>
#include <rewind/optim/detail/sum_of_squares.hpp>
#include <rewind/optim/lamb.hpp>

namespace rw {

Lamb::Lamb(ParameterList parameters, const LambOptions& options)
    : Optimizer("lamb", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("beta1", options.beta1, 0, 1);
  add_option("beta2", options.beta2, 0, 1);
  add_epsilon(options.epsilon);
  first_moment_ = add_state("first_moment", finite_values);
  second_moment_ = add_state("second_moment", finite_from_zero);
  updates_ = add_counters("updates");
}

bool Lamb::is_finite(std::size_t, const Parameter& parameter) const {
  return dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    return detail::all_finite<T, 2>(parameter.value().elements(),
                                    {parameter.grad().data<T>(), parameter.value().data<T>()},
                                    [](const auto& g, const auto& w) { return g * g + w * w; });
  });
}

void Lamb::update(std::size_t i, Parameter& parameter) {
  const auto t = static_cast<double>(++*updates_[i].mutable_data<std::int64_t>());
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const std::int64_t n = parameter.value().elements();
    const auto correction = static_cast<T>(1 / detail::bias_correction(options_.beta1, t));
    const auto root_correction =
        static_cast<T>(1 / std::sqrt(detail::bias_correction(options_.beta2, t)));
    const detail::Moments<T> moments(options_.beta1, options_.beta2);
    const auto epsilon = static_cast<T>(options_.epsilon);
    const auto decay = static_cast<T>(decay_of(i));
    const auto direction = [=](const auto& first, const auto& second, const auto& w) {
      return correction * first / (root_correction * xsimd::sqrt(second) + epsilon) + decay * w;
    };
    const T* const gradient = parameter.grad().data<T>();
    T* const value = parameter.mutable_data<T>();
    T* const first_moment = state_data<T>(first_moment_, i);
    T* const second_moment = state_data<T>(second_moment_, i);

    // The direction is needed twice; computing it twice saves the memory to store it.
    constexpr std::int64_t block = 1024;
    std::array<T, block> directions;
    double squares = 0;
    for (std::int64_t at = 0; at < n; at += block) {
      const std::int64_t count = std::min(block, n - at);
      detail::for_each_register<T, 2, 3>(
          count, {gradient + at, value + at},
          {first_moment + at, second_moment + at, directions.data()},
          [=](const auto& g, const auto& w, auto& first, auto& second, auto& u) {
            moments.advance(g, first, second);
            u = direction(first, second, w);
          });
      squares += detail::sum_of_squares(directions.data(), count);
    }
    const double length = std::sqrt(detail::sum_of_squares(value, n));
    const double trust = length > 0 && squares > 0 ? length / std::sqrt(squares) : 1;
    const auto rate = static_cast<T>(rate_of(i) * trust);
    detail::for_each_register<T, 2, 1>(n, {first_moment, second_moment}, {value},
                                       [=](const auto& first, const auto& second, auto& w) {
                                         w -= rate * direction(first, second, w);
                                       });
  });
}

}  // namespace rw
