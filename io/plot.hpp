#pragma once
// Pictures, drawn by gnuplot where it is installed.

#include <string>
#include <utility>
#include <vector>

#include <rewind/io/error.hpp>

namespace rw::io {

/// Runs gnuplot on `script`, whose picture (it sets a terminal but no output) goes to the file
/// `path`. Neither a shell nor gnuplot reads the path. Throws FileError, whose message says why,
/// where the file cannot be written, or gnuplot is missing or failed; no file is left then.
void gnuplot(const std::string& script, const std::string& path);

/// `text` as a string of gnuplot's language, quotes included: whatever it holds, gnuplot shows it
/// and does not obey it.
std::string gnuplot_text(const std::string& text);

/// A line through points (x, y); it is broken where a number is not finite.
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

/// Draws the curves that have points as the PNG file `path`. Throws FileError as gnuplot() does,
/// and when there is nothing to draw.
void plot_lines(const std::string& path, const PlotAxes& axes,
                const std::vector<PlotCurve>& curves);

}  // namespace rw::io
