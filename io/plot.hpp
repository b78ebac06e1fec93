#pragma once
// Pictures, drawn by gnuplot where it is installed.

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rewind/io/error.hpp>

namespace rw::io {

/// Runs gnuplot on `script`, whose picture (it sets a terminal but no output) goes to the file
/// `path` as write_file() writes it. Neither a shell nor gnuplot reads the path. Throws FileError,
/// whose message says why, where the file cannot be written, or gnuplot is missing, fails, draws
/// nothing or does not end in `time_limit`, after which it is killed; a file that was there before
/// is as it was then.
void gnuplot(const std::string& script, const std::string& path,
             std::chrono::milliseconds time_limit = std::chrono::minutes(1));

/// `text` as a string of gnuplot's language, quotes included: whatever it holds, gnuplot shows it
/// and does not obey it, with `set terminal ... noenhanced` also '_', '^' and braces. Control
/// characters become spaces; what is not UTF-8, U+FFFD.
std::string gnuplot_text(std::string_view text);

/// A line through points (x, y). It is broken where a number is not finite or beyond 1e300, and on
/// a logarithmic axis where it is not above 0; a point between two such is drawn as a dot. Numbers
/// nearer to 0 than 1e-300 count as 0.
struct PlotCurve {
  std::string label;
  std::vector<std::pair<double, double>> points;
};

struct PlotAxes {
  std::string title = {};
  std::string x = {};
  std::string y = {};
  bool log_y = false;
};

/// Draws the curves that have points as the PNG file `path`, in at most a minute. Texts are shown
/// as they are; but where no font of the machine has a character, as is common for Chinese, gnuplot
/// draws a box that covers the picture. Throws FileError as gnuplot() does, and when there is
/// nothing to draw.
void plot_lines(const std::string& path, const PlotAxes& axes,
                const std::vector<PlotCurve>& curves);

}  // namespace rw::io
