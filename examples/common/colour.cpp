#include "common/colour.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace examples {

namespace {

// From the 256 colours of a terminal: blue through white to red.
constexpr std::array shades{19, 26, 75, 153, 231, 223, 210, 196, 124};
constexpr std::string_view letters = "Nn-. :+pP";
static_assert(shades.size() == letters.size());

}  // namespace

bool is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

bool shows_colour() {
  const char* refused = std::getenv("NO_COLOR");
  return is_terminal() && (refused == nullptr || *refused == '\0');
}

std::string paint(std::string_view text, Colour colour) {
  if (!shows_colour()) {
    return std::string(text);
  }
  static constexpr std::array codes{31, 32, 33, 34, 90};
  return fmt::format("\x1b[1;{}m{}\x1b[0m", codes[static_cast<std::size_t>(colour)], text);
}

std::string shade(double value) {
  const double limited = std::isfinite(value) ? std::clamp(value, -1.0, 1.0) : 0.0;
  const auto index = static_cast<std::size_t>(std::lround((limited + 1.0) / 2.0 * 8.0));
  return shows_colour() ? fmt::format("\x1b[48;5;{}m \x1b[0m", shades[index])
                        : std::string(1, letters[index]);
}

std::string shade_legend() {
  std::string legend;
  for (std::size_t i = 0; i < shades.size(); ++i) {
    legend += shade(static_cast<double>(i) / 4.0 - 1.0);
  }
  return legend;
}

}  // namespace examples
