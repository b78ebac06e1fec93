#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rewind/optim/progress_bar.hpp>

namespace rw {
namespace {

/// How many terminal columns the character that starts with this UTF-8 byte takes, 0 for other
/// bytes; characters of three bytes and more may be wide.
std::size_t columns_of(char byte) {
  const auto b = static_cast<unsigned char>(byte);
  return b >= 0xe0 ? 2 : (b & 0xc0) == 0x80 ? 0 : 1;
}

std::size_t columns_of(std::string_view line) {
  return std::accumulate(line.begin(), line.end(), std::size_t{0},
                         [](std::size_t sum, char byte) { return sum + columns_of(byte); });
}

std::string cut(std::string line, std::size_t columns) {
  std::size_t used = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    used += columns_of(line[i]);
    if (used > columns) {
      line.resize(i);
    }
  }
  return line;
}

/// At least 1. Read each time, because windows are resized.
std::size_t terminal_columns(std::FILE* terminal) {
  winsize size = {};
  if (::ioctl(::fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  const char* const columns = std::getenv("COLUMNS");
  const int number = columns != nullptr ? std::atoi(columns) : 0;
  return number > 0 ? static_cast<std::size_t>(number) : 80;
}

}  // namespace

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
                              double loss, std::optional<double> seconds, std::size_t columns) {
  if (steps <= 0) {
    return cut(fmt::format("{:>8}  step {}  loss {:.5f}", label, step, loss), columns);
  }
  const std::string eta =
      seconds
          ? fmt::format("   ETA {}",
                        minutes(*seconds / static_cast<double>(std::max<std::int64_t>(step, 1)) *
                                static_cast<double>(steps - step)))
          : "";
  std::string line;
  for (std::int64_t width = 30; width >= 0; width -= 5) {
    const std::int64_t filled = std::clamp<std::int64_t>(step * width / steps, 0, width);
    const std::string bar =
        fmt::format("[{:-<{}}]  ", std::string(static_cast<std::size_t>(filled), '#'), width);
    line = fmt::format("{:>8}  {}loss {:.5f}{}", label, width > 0 ? bar : "", loss, eta);
    if (columns_of(line) <= columns) {
      break;
    }
  }
  return cut(line, columns);
}

void ProgressBar::update(std::int64_t step, std::int64_t steps, double loss) {
  if (output_ == nullptr) {
    return;
  }
  const double now = seconds();
  if (first_step_ < 0) {
    first_step_ = step;
    first_at_ = now;
  }
  // Redraws at most ten times a second.
  if (now - drawn_at_ <= 0.1) {
    return;
  }
  drawn_at_ = now;
  drawn_ = true;
  std::optional<double> at_this_pace;
  if (step > first_step_) {
    at_this_pace =
        (now - first_at_) / static_cast<double>(step - first_step_) * static_cast<double>(step);
  }
  // Leaves the last column free: some terminals wrap as soon as it is written.
  fmt::print(output_, "\r{}\x1b[K",
             text(label_, step, steps, loss, at_this_pace, terminal_columns(output_) - 1));
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
