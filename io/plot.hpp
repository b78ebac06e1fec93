#pragma once
// Pictures, drawn by gnuplot if it is installed.

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rewind/io/error.hpp>

namespace rw::io {

/// Runs gnuplot on `script` and writes the picture to the file `path` as write_file() does. The
/// script sets a terminal but no output. Neither a shell nor gnuplot sees the path. Throws
/// FileError, which says why, if the file cannot be written, or if gnuplot is missing, fails, draws
/// nothing or does not end within `time_limit` (it is then killed). A file that was there before
/// stays as it was.
void gnuplot(const std::string& script, const std::string& path,
             std::chrono::milliseconds time_limit = std::chrono::minutes(1));

/// `text` as a quoted string in gnuplot's language, which gnuplot shows as it is and never
/// interprets; with `set terminal ... noenhanced` not even '_', '^' and braces. Control characters
/// become spaces, and bytes that are not UTF-8 become U+FFFD.
std::string gnuplot_text(std::string_view text);

/// A line through points (x, y). It breaks where a number is not finite or is beyond 1e300, and on
/// a logarithmic axis where y is not above 0. A single point between two breaks is drawn as a dot.
/// Numbers closer to 0 than 1e-300 count as 0.
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
/// as they are. But if no font on the machine has a character, as is common for Chinese, gnuplot
/// draws a box that covers the picture. Throws FileError as gnuplot() does, and if there is nothing
/// to draw.
void plot_lines(const std::string& path, const PlotAxes& axes,
                const std::vector<PlotCurve>& curves);

}  // namespace rw::io
