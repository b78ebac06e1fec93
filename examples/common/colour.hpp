#pragma once

#include <string>
#include <string_view>

namespace examples {

/// Whether standard output is a terminal.
bool is_terminal();

/// Whether to write in colour: on a terminal, unless the variable NO_COLOR is set (no-color.org).
bool shows_colour();

enum class Colour { red, green, yellow, blue, grey };

/// `text` in bold colour, or unchanged if colours are off.
std::string paint(std::string_view text, Colour colour);

/// One character cell for `value` in [-1, 1]: blue below 0, white around it, red above. Without
/// colours, a letter or sign as in shade_legend().
std::string shade(double value);
std::string shade_legend();

}  // namespace examples
