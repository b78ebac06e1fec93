#include <rewind/optim/average.hpp>
#include <rewind/optim/detail/bias_correction.hpp>
#include <rewind/optim/detail/element_loop.hpp>

namespace rw {

WeightAverage::WeightAverage(std::string_view owner, std::string_view state_name,
                             ParameterList list)
    : parameters_(owner, std::move(list)),
      updates_(zeros({}, DType::int64)),
      state_{{"updates", updates_, counts}},
      averages_(detail::append_state(
          state_, parameters_.list(), state_name, any_values,
          [](const Parameter& parameter) { return detail::copy_of(parameter.value()); })) {}

std::int64_t WeightAverage::count_update() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_.check_form(i);
  }
  return ++*updates_.mutable_data<std::int64_t>();
}

void WeightAverage::move_averages(double rate) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& value = parameters_[i].parameter->value();
    dispatch_floating(value.dtype(), [&](auto type) {
      using T = decltype(type);
      const auto part = static_cast<T>(rate);
      detail::for_each_register<T, 1, 1>(
          value.elements(), {value.data<T>()}, {averages_[i].mutable_data<T>()},
          [=](const auto& w, auto& average) { average += part * (w - average); });
    });
  }
}

void WeightAverage::copy_to_parameters() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].parameter->assign(averages_[i]);
  }
}

ParameterAverage::ParameterAverage(ParameterList list, const ParameterAverageOptions& options)
    : WeightAverage("parameter average", "average", std::move(list)), options_(options) {
  check<UsageError>(options.decay >= 0 && options.decay < 1,
                    "parameter average: decay is {}, expected at least 0 and less than 1",
                    options.decay);
}

OptionList ParameterAverage::options() const {
  OptionList list{{"kind", "parameter_average"}};
  add_option(list, "decay", options_.decay);
  add_option(list, "bias_correction", options_.bias_correction);
  return list;
}

void ParameterAverage::update() {
  const auto t = static_cast<double>(count_update());
  const double whole = options_.bias_correction ? detail::bias_correction(options_.decay, t) : 1;
  move_averages((1 - options_.decay) / whole);
}

Lookahead::Lookahead(ParameterList list, const LookaheadOptions& options)
    : WeightAverage("lookahead", "slow", std::move(list)), options_(options) {
  check<UsageError>(options.period >= 1, "lookahead: period is {}, expected at least 1",
                    options.period);
  check<UsageError>(options.alpha > 0 && options.alpha <= 1,
                    "lookahead: alpha is {}, expected more than 0 and at most 1", options.alpha);
}

OptionList Lookahead::options() const {
  OptionList list{{"kind", "lookahead"}};
  add_option(list, "period", options_.period);
  add_option(list, "alpha", options_.alpha);
  return list;
}

void Lookahead::update() {
  if (count_update() % options_.period == 0) {
    move_averages(options_.alpha);
    copy_to_parameters();
  }
}

}  // namespace rw
