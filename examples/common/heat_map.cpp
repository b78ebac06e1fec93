#include "common/heat_map.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <rewind/io/plot.hpp>

#include "common/colour.hpp"
#include "common/plot.hpp"

namespace examples {

namespace {

using Rows = std::vector<std::vector<double>>;

Rows rows_of(const HeatMap& map) {
  const std::vector<float> values = map.values.to_vector<float>();
  const auto width = static_cast<std::size_t>(map.values.size(1));
  Rows rows;
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    std::vector<double>& line = rows.emplace_back();
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      line.push_back(values.at(row * width + column));
    }
  }
  return rows;
}

double largest_of(const Rows& rows) {
  double largest = 1e-12;
  for (const std::vector<double>& row : rows) {
    for (const double value : row) {
      largest = std::isfinite(value) ? std::max(largest, std::abs(value)) : largest;
    }
  }
  return largest;
}

bool is_marked(const HeatMap& map, char name) { return map.marked.find(name) != std::string::npos; }

/// A label of an axis. gnuplot would take a '%' for the beginning of a format.
std::string tic(const std::string& name, std::size_t at) {
  std::string text;
  for (const char c : name) {
    text += c == '%' ? "%%" : std::string(1, c);
  }
  return fmt::format("{} {}", rw::io::gnuplot_text(text), at);
}

std::string script_of(const HeatMap& map, const Rows& rows, double largest) {
  std::string script = fmt::format(
      "set terminal pngcairo noenhanced size 900,540\nset encoding utf8\nset title {}\nset xlabel "
      "{}\nset ylabel {}\n"
      "unset key\nset cbrange [{}:{}]\nset palette defined ({})\n$map << END\n",
      rw::io::gnuplot_text(map.title), rw::io::gnuplot_text(map.x), rw::io::gnuplot_text(map.row),
      map.is_signed ? -largest : 0, largest,
      map.is_signed ? "-1 'blue', 0 'white', 1 'red'" : "0 'white', 1 'blue'");
  for (const std::vector<double>& row : rows) {
    script += fmt::format("{}\n", fmt::join(row, " "));
  }
  std::vector<std::string> columns, lines;
  const bool crowded = map.columns.size() > 60;
  for (std::size_t i = 0; i < map.columns.size(); ++i) {
    if (!crowded || is_marked(map, map.columns[i])) {
      columns.push_back(tic({map.columns[i]}, i));
    }
  }
  for (std::size_t i = 0; i < map.rows.size(); ++i) {
    lines.push_back(tic(map.rows[i], i));
  }
  return script + fmt::format(
                      "END\nset xtics ({})\nset ytics ({})\nset xrange [-0.5:{}]\n"
                      "set yrange [{}:-0.5]\nplot $map matrix with image\n",
                      fmt::join(columns, ", "), fmt::join(lines, ", "),
                      static_cast<double>(map.columns.size()) - 0.5,
                      static_cast<double>(rows.size()) - 0.5);
}

/// Pools columns until they fit into a line. A pool keeps the largest value and the first marked
/// name.
void narrow(HeatMap& map, Rows& rows, std::size_t width) {
  const std::size_t pool = (map.columns.size() + width - 1) / width;
  const std::size_t count = (map.columns.size() + pool - 1) / pool;
  const Rows all = rows;
  const std::string names = map.columns;
  map.columns.assign(count, '\0');
  rows.assign(all.size(), std::vector<double>(count));
  for (std::size_t i = 0; i < names.size(); ++i) {
    char& name = map.columns[i / pool];
    name = name == '\0' || (is_marked(map, names[i]) && !is_marked(map, name)) ? names[i] : name;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      double& value = rows[row][i / pool];
      value = std::abs(all[row][i]) > std::abs(value) ? all[row][i] : value;
    }
  }
}

}  // namespace

void plot_heat_map(const std::string& folder, const std::string& file, const HeatMap& map) {
  if (map.rows.empty() || map.columns.empty()) {
    return;
  }
  Rows rows = rows_of(map);
  const double largest = map.largest.value_or(largest_of(rows));
  if (!folder.empty() && gnuplot(script_of(map, rows, largest), folder + "/" + file)) {
    return;
  }
  HeatMap narrowed = map;
  narrow(narrowed, rows, 100);
  const std::string limit =
      map.largest ? fmt::format("{}", largest) : fmt::format("{:.2f}", largest);
  std::size_t margin = 3;
  for (const std::string& name : map.rows) {
    margin = std::max(margin, name.size());
  }
  fmt::print("\n{}, one line per {}; {} is -{} to {}\n{:{}}  ", map.title, map.row, shade_legend(),
             limit, limit, "", margin);
  for (const char name : narrowed.columns) {
    const std::string_view text(&name, 1);
    fmt::print("{}", is_marked(map, name) ? paint(text, Colour::yellow) : std::string(text));
  }
  for (std::size_t row = 0; row < rows.size(); ++row) {
    fmt::print("\n{:>{}}  ", map.rows[row], margin);
    for (const double value : rows[row]) {
      fmt::print("{}", shade(value / largest));
    }
  }
  fmt::print("\n");
}

}  // namespace examples
