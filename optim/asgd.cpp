#include <algorithm>
#include <cmath>

#include <rewind/optim/asgd.hpp>
#include <rewind/optim/detail/element_loop.hpp>

namespace rw {

Asgd::Asgd(ParameterList parameters, const AsgdOptions& options)
    : Optimizer("asgd", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("lambda", options.lambda, 0);
  add_option("alpha", options.alpha, 0);
  add_option("averaging_start", options.averaging_start, 0);
  average_ = add_copies("average");
  updates_ = add_counters("updates");
}

bool Asgd::is_finite(std::size_t i, const Parameter& parameter) const {
  return detail::all_finite(parameter, decay_of(i), [](auto g) { return g; });
}

void Asgd::update(std::size_t i, Parameter& parameter) {
  const auto earlier = static_cast<double>((*updates_[i].mutable_data<std::int64_t>())++);
  const double rate_now =
      rate_of(i) / std::pow(1 + options_.lambda * rate_of(i) * earlier, options_.alpha);
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto rate = static_cast<T>(rate_now);
    const auto shrinkage = static_cast<T>(options_.lambda * rate_now);
    const auto average_rate = static_cast<T>(1 / std::max(1.0, earlier - options_.averaging_start));
    const bool averages = average_rate < 1;
    const auto decay = static_cast<T>(decay_of(i));
    detail::for_each_register<T, 1, 2>(parameter.value().elements(), {parameter.grad().data<T>()},
                                       {parameter.mutable_data<T>(), state_data<T>(average_, i)},
                                       [=](auto g, auto& w, auto& average) {
                                         g += decay * w;
                                         w -= shrinkage * w;
                                         w -= rate * g;
                                         average =
                                             averages ? average + average_rate * (w - average) : w;
                                       });
  });
}

}  // namespace rw
