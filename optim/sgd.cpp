#include <rewind/optim/detail/element_loop.hpp>
#include <rewind/optim/sgd.hpp>

namespace rw {

Sgd::Sgd(ParameterList parameters, const SgdOptions& options)
    : Optimizer("sgd", std::move(parameters), options.learning_rate, options.weight_decay),
      options_(options) {
  add_option("momentum", options.momentum, 0);
  add_flag("nesterov", options.nesterov);
  check<UsageError>(!options.nesterov || options.momentum > 0,
                    "sgd: nesterov needs a momentum above 0, got {}", options.momentum);
  if (options.momentum > 0) {
    velocity_ = add_state("velocity", finite_values);
  }
}

bool Sgd::is_finite(std::size_t i, const Parameter& parameter) const {
  return detail::all_finite(parameter, decay_of(i), [](auto g) { return g; });
}

void Sgd::update(std::size_t i, Parameter& parameter) {
  dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto rate = static_cast<T>(rate_of(i));
    const auto momentum = static_cast<T>(options_.momentum);
    const auto decay = static_cast<T>(decay_of(i));
    const bool nesterov = options_.nesterov;
    detail::for_each_register<T, 1, 2>(parameter.value().elements(), {parameter.grad().data<T>()},
                                       {parameter.mutable_data<T>(), state_data<T>(velocity_, i)},
                                       [=](auto g, auto& w, auto& velocity) {
                                         g += decay * w;
                                         velocity = momentum * velocity + g;
                                         w -=
                                             rate * (nesterov ? g + momentum * velocity : velocity);
                                       });
  });
}

}  // namespace rw
