#include "common/monitor.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "common/interrupt.hpp"

namespace examples {

std::string percent(double share) { return fmt::format("{:.2f} %", std::floor(share * 1e4) / 1e2); }

Monitor::Monitor(std::string label, std::int64_t epochs, std::int64_t steps_per_epoch, bool silent)
    : epochs_(epochs),
      steps_per_epoch_(steps_per_epoch),
      steps_per_point_(std::max<std::int64_t>(1, steps_per_epoch / 5)),
      silent_(silent),
      bar_(label, silent ? nullptr : stdout) {
  progress_.curve.label = std::move(label);
}

void Monitor::step(const Score& score) {
  TrainingProgress& now = progress_;
  ++now.steps;
  now.in_epoch.add(score);
  now.in_point.add(score);
  if (now.steps - now.steps_at_point == steps_per_point_) {
    const double epoch = static_cast<double>(now.steps) / static_cast<double>(steps_per_epoch_);
    now.curve.points.push_back({epoch, now.in_point.loss(), now.in_point.accuracy()});
    now.in_point = {};
    now.steps_at_point = now.steps;
  }
  bar_.update(now.steps, epochs_ * steps_per_epoch_, now.in_epoch.loss());
}

void Monitor::end_epoch() {
  TrainingProgress& now = progress_;
  const std::int64_t epoch = ++now.curve.epochs;
  now.last_epoch = std::exchange(now.in_epoch, {});
  now.epochs_without_error = now.last_epoch.wrong() == 0 ? now.epochs_without_error + 1 : 0;
  const std::int64_t every = (epochs_ + 19) / 20;
  if (epoch % every == 0) {
    print_epoch();
  }
}

void Monitor::finish() {
  if (printed_epoch_ < progress_.curve.epochs) {
    print_epoch();
  }
  if (interrupted() && !silent_) {
    fmt::print("training was interrupted in epoch {}\n", progress_.curve.epochs);
  }
}

void Monitor::print_epoch() {
  const Curve& curve = progress_.curve;
  printed_epoch_ = curve.epochs;
  if (silent_) {
    return;
  }
  bar_.erase();
  fmt::print("{:>8}  epoch {:3}   loss {:.5f}   accuracy {:>8}   {:6.1f} s\n", curve.label,
             curve.epochs, score().loss(), percent(score().accuracy()), bar_.seconds());
  std::fflush(stdout);
}

}  // namespace examples
