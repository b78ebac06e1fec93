#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <rewind/io/detail/draw_lines.hpp>
#include <rewind/io/detail/gnuplot.hpp>
#include <rewind/io/detail/replace_file.hpp>
#include <rewind/io/detail/utf8.hpp>

namespace rw::io {
namespace {

/// A curve in gnuplot's format.
struct Drawn {
  std::string points = {};  // one per line, with an empty line where the curve breaks
  bool is_empty = true;
  bool has_lone_point = false;  // between two breaks, where no line shows it
};

// gnuplot cannot divide an axis near the limits of double.
constexpr double largest = 1e300;
double without_tiny(double value) { return std::abs(value) < 1 / largest ? 0 : value; }

Drawn drawn(const PlotCurve& curve, const PlotAxes& axes) {
  Drawn result;
  int in_a_row = 0;
  const auto end_line = [&] {
    result.has_lone_point = result.has_lone_point || in_a_row == 1;
    in_a_row = 0;
  };
  for (const auto& point : curve.points) {
    const double x = without_tiny(point.first);
    const double y = without_tiny(point.second);
    if (std::abs(x) <= largest && std::abs(y) <= largest && (!axes.log_y || y > 0)) {
      result.points += fmt::format("{} {}\n", x, y);
      result.is_empty = false;
      ++in_a_row;
    } else {
      result.points += '\n';
      end_line();
    }
  }
  end_line();
  return result;
}

/// Whether a UTF-8 character is a control character, which has no glyph: below U+0020, or from
/// U+007F to U+009F.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  return character.size() == 1 ? first < 0x20 || first == 0x7f
                               : first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

void draw(const detail::FileTarget& target, const std::string& script,
          std::chrono::milliseconds time_limit) {
  detail::replace_file(target, detail::run_gnuplot(target, script, time_limit));
}

}  // namespace

void gnuplot(const std::string& script, const std::string& path,
             std::chrono::milliseconds time_limit) {
  draw({detail::FileKind::picture, path, "gnuplot"}, script, time_limit);
}

std::string gnuplot_text(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = detail::character_bytes(text, at);
    const std::string_view character = text.substr(at, std::max<std::size_t>(bytes, 1));
    if (bytes == 0) {
      quoted += "\uFFFD";
    } else if (is_control(character)) {
      quoted += ' ';
    } else if (std::string_view("\"\\`@$").find(character) != std::string_view::npos) {
      // Characters that could end the string or begin an escape, a shell command or a macro.
      quoted += fmt::format("\\{:03o}", character.front());
    } else {
      quoted += character;
    }
    at += character.size();
  }
  return quoted + '"';
}

void plot_lines(const std::string& path, const PlotAxes& axes,
                const std::vector<PlotCurve>& curves) {
  detail::draw_lines("plot_lines", path, axes, curves);
}

void detail::draw_lines(const char* who, const std::string& path, const PlotAxes& axes,
                        const std::vector<PlotCurve>& curves) {
  const FileTarget target = {FileKind::picture, path, who};
  std::string script = fmt::format(
      "set terminal pngcairo noenhanced size 900,540\nset encoding utf8\nset grid\nset key {}\n"
      "set title {}\nset xlabel {}\nset ylabel {}\n{}",
      axes.log_y ? "top right" : "bottom right", gnuplot_text(axes.title), gnuplot_text(axes.x),
      gnuplot_text(axes.y), axes.log_y ? "set logscale y\n" : "");
  std::string plot;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const Drawn curve = drawn(curves[i], axes);
    if (curve.is_empty) {
      continue;
    }
    script += fmt::format("$curve{} << END\n{}END\n", i, curve.points);
    plot += fmt::format("{}$curve{} using 1:2 with {} linewidth 2 title {}",
                        plot.empty() ? "plot " : ", ", i,
                        curve.has_lone_point ? "linespoints pointtype 7 pointsize 0.6" : "lines",
                        gnuplot_text(curves[i].label));
  }
  if (plot.empty()) {
    fail_to_write(target, fmt::format("there is nothing to draw, expected a curve with a point "
                                      "whose numbers are finite{}",
                                      axes.log_y ? ", with y above 0 on a logarithmic axis" : ""));
  }
  draw(target, script + plot + "\n", std::chrono::minutes(1));
}

}  // namespace rw::io
