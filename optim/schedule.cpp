#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string_view>

#include <fmt/format.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/optim/schedule.hpp>

namespace rw {
namespace {

void check_steps(std::string_view who, std::string_view what, std::int64_t steps) {
  check<UsageError>(steps > 0, "{}: {} is {}, expected at least 1 step", who, what, steps);
}

void check_factor(std::string_view who, double factor) {
  check<UsageError>(factor > 0 && std::isfinite(factor),
                    "{}: factor is {}, expected more than 0 and finite", who, factor);
}

void check_level(std::string_view who, std::string_view what, double level) {
  check<UsageError>(level >= 0 && std::isfinite(level),
                    "{}: {} is {}, expected at least 0 and finite; it is a factor on the "
                    "learning rate",
                    who, what, level);
}

/// Half a cosine, from `from` at part = 0 to `to` at part = 1.
double cosine(double from, double to, double part) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * part)) / 2;
}

template <class... Arguments>
std::string text_of(std::string_view name, const Arguments&... arguments) {
  std::vector<std::string> texts{fmt::format("{}", arguments)...};
  return fmt::format("{}({})", name, fmt::join(texts, ", "));
}

double ratio(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

}  // namespace

Schedule Schedule::then(std::int64_t steps, Schedule next) const {
  check<UsageError>(steps >= 0, "schedule: then() after {} steps, expected at least 0", steps);
  const std::string first_text = text_.find(" * ") == std::string::npos ? text_ : "(" + text_ + ")";
  std::string text = fmt::format("{}.then({}, {})", first_text, steps, next.text());
  return {std::move(text), [first = *this, steps, next = std::move(next)](std::int64_t step) {
            return step < steps ? first(step) : next(step - steps);
          }};
}

Schedule operator*(Schedule a, Schedule b) {
  std::string text = fmt::format("{} * {}", a.text(), b.text());
  return {std::move(text),
          [a = std::move(a), b = std::move(b)](std::int64_t step) { return a(step) * b(step); }};
}

Schedule step_decay(std::int64_t period, double factor) {
  check_steps("step_decay", "period", period);
  check_factor("step_decay", factor);
  return {text_of("step_decay", period, factor),
          [=](std::int64_t step) { return std::pow(factor, static_cast<double>(step / period)); }};
}

Schedule multi_step_decay(std::vector<std::int64_t> milestones, double factor) {
  check_factor("multi_step_decay", factor);
  check<UsageError>(
      std::adjacent_find(milestones.begin(), milestones.end(), std::greater_equal{}) ==
              milestones.end() &&
          (milestones.empty() || milestones.front() >= 0),
      "multi_step_decay: the milestones must not be negative, and each must be greater than the "
      "one before");
  return {text_of("multi_step_decay", fmt::format("{{{}}}", fmt::join(milestones, ", ")), factor),
          [=, milestones = std::move(milestones)](std::int64_t step) {
            const auto passed =
                std::upper_bound(milestones.begin(), milestones.end(), step) - milestones.begin();
            return std::pow(factor, static_cast<double>(passed));
          }};
}

Schedule exponential_decay(double factor) {
  check_factor("exponential_decay", factor);
  return {text_of("exponential_decay", factor),
          [=](std::int64_t step) { return std::pow(factor, static_cast<double>(step)); }};
}

Schedule linear_decay(std::int64_t steps, double floor) {
  check_steps("linear_decay", "steps", steps);
  check_level("linear_decay", "floor", floor);
  return {text_of("linear_decay", steps, floor), [=](std::int64_t step) {
            return step >= steps ? floor : 1 + (floor - 1) * ratio(step, steps);
          }};
}

Schedule cosine_decay(std::int64_t steps, double floor) {
  check_steps("cosine_decay", "steps", steps);
  check_level("cosine_decay", "floor", floor);
  return {text_of("cosine_decay", steps, floor), [=](std::int64_t step) {
            return step >= steps ? floor : cosine(1, floor, ratio(step, steps));
          }};
}

Schedule cosine_restarts(std::int64_t period, std::int64_t growth, double floor) {
  check_steps("cosine_restarts", "period", period);
  check<UsageError>(growth >= 1, "cosine_restarts: growth is {}, expected at least 1", growth);
  check_level("cosine_restarts", "floor", floor);
  return {text_of("cosine_restarts", period, growth, floor), [=](std::int64_t step) {
            if (growth == 1) {
              return cosine(1, floor, ratio(step % period, period));
            }
            auto rest = static_cast<double>(step);
            auto length = static_cast<double>(period);
            for (; rest >= length; length *= static_cast<double>(growth)) {
              rest -= length;
            }
            return cosine(1, floor, rest / length);
          }};
}

Schedule warm_up(std::int64_t steps, double start) {
  check_steps("warm_up", "steps", steps);
  check_level("warm_up", "start", start);
  return {text_of("warm_up", steps, start), [=](std::int64_t step) {
            return step >= steps ? 1.0 : start + (1 - start) * ratio(step + 1, steps);
          }};
}

Schedule one_cycle(const OneCycleOptions& options) {
  check_steps("one_cycle", "steps", options.steps);
  check<UsageError>(options.rise > 0 && options.rise < 1,
                    "one_cycle: rise is {}, expected more than 0 and less than 1: it is a part of "
                    "the cycle",
                    options.rise);
  check_level("one_cycle", "start", options.start);
  check_level("one_cycle", "end", options.end);
  const double last = static_cast<double>(options.steps) - 1;
  const double top = options.rise * static_cast<double>(options.steps) - 1;
  check<UsageError>(top > 0 && top < last,
                    "one_cycle: {} steps are too few to rise in the first {} of them and then "
                    "fall; give a longer cycle",
                    options.steps, options.rise);
  return {text_of("one_cycle", options.steps, options.rise, options.start, options.end),
          [=](std::int64_t step) {
            const double s = std::min(static_cast<double>(step), last);
            return s <= top ? cosine(options.start, 1, s / top)
                            : cosine(1, options.end, (s - top) / (last - top));
          }};
}

}  // namespace rw
