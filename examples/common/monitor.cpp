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
      curve_{label, {}},
      bar_(std::move(label), silent ? nullptr : stdout) {}

void Monitor::step(const Score& score) {
  ++step_;
  in_epoch_.add(score);
  in_point_.add(score);
  if (step_ - points_at_step_ == steps_per_point_) {
    const double epoch = static_cast<double>(step_) / static_cast<double>(steps_per_epoch_);
    curve_.points.push_back({epoch, in_point_.loss(), in_point_.accuracy()});
    in_point_ = {};
    points_at_step_ = step_;
  }
  bar_.update(step_, epochs_ * steps_per_epoch_, in_epoch_.loss());
}

void Monitor::end_epoch() {
  const std::int64_t epoch = ++curve_.epochs;
  last_epoch_ = std::exchange(in_epoch_, {});
  without_error_ = last_epoch_.wrong() == 0 ? without_error_ + 1 : 0;
  const std::int64_t every = (epochs_ + 19) / 20;
  if (epoch % every == 0) {
    print_epoch();
  }
}

void Monitor::finish() {
  if (printed_epoch_ < curve_.epochs) {
    print_epoch();
  }
  if (interrupted() && !silent_) {
    fmt::print("training was interrupted in epoch {}\n", curve_.epochs);
  }
}

void Monitor::print_epoch() {
  printed_epoch_ = curve_.epochs;
  if (silent_) {
    return;
  }
  bar_.erase();
  fmt::print("{:>8}  epoch {:3}   loss {:.5f}   accuracy {:>8}   {:6.1f} s\n", curve_.label,
             curve_.epochs, last_epoch_.loss(), percent(last_epoch_.accuracy()), bar_.seconds());
  std::fflush(stdout);
}

}  // namespace examples
