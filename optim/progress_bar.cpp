#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <rewind/optim/progress_bar.hpp>

namespace rw {

std::string minutes(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::max(0.0, seconds)));
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

ProgressBar::ProgressBar(std::string label, std::FILE* output)
    : label_(std::move(label)),
      output_(output != nullptr && ::isatty(::fileno(output)) == 1 ? output : nullptr) {}

double ProgressBar::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

std::string ProgressBar::text(std::string_view label, std::int64_t step, std::int64_t steps,
                              double loss, double seconds) {
  if (steps <= 0) {
    return fmt::format("{:>8}  step {}  loss {:.5f}", label, step, loss);
  }
  constexpr std::int64_t width = 30;
  const std::int64_t filled = std::clamp<std::int64_t>(step * width / steps, 0, width);
  const double left = seconds / static_cast<double>(std::max<std::int64_t>(step, 1)) *
                      static_cast<double>(steps - step);
  return fmt::format("{:>8}  [{:-<{}}]  loss {:.5f}   ETA {}", label,
                     std::string(static_cast<std::size_t>(filled), '#'), width, loss,
                     minutes(left));
}

void ProgressBar::update(std::int64_t step, std::int64_t steps, double loss) {
  // Ten times a second is as often as one can read.
  if (output_ == nullptr || seconds() - drawn_at_ <= 0.1) {
    return;
  }
  drawn_at_ = seconds();
  drawn_ = true;
  fmt::print(output_, "\r{}\x1b[K", text(label_, step, steps, loss, drawn_at_));
  std::fflush(output_);
}

void ProgressBar::erase() {
  if (drawn_) {
    drawn_ = false;
    fmt::print(output_, "\r\x1b[K");
    std::fflush(output_);
  }
}

}  // namespace rw
