#include "common/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include <fmt/format.h>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/io/history_files.hpp>
#include <rewind/io/plot.hpp>

#include "common/colour.hpp"

namespace examples {

namespace {

constexpr const char* head = "set terminal pngcairo size 900,540\nset grid\nset key bottom right\n";

/// Calls `draw`, which writes the file `path`; false, after a word on standard error, where it
/// cannot.
template <class Draw>
bool drawn(const std::string& path, Draw&& draw) {
  try {
    draw();
  } catch (const rw::io::FileError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return false;
  }
  fmt::print("wrote {}\n", path);
  return true;
}

void plot_lines(const std::string& path, const char* quantity, const std::vector<Curve>& curves,
                double Curve::Point::*value, double scale) {
  std::vector<rw::io::PlotCurve> lines;
  for (const Curve& curve : curves) {
    rw::io::PlotCurve& line = lines.emplace_back(rw::io::PlotCurve{curve.label, {}});
    for (const Curve::Point& point : curve.points) {
      line.points.emplace_back(point.epoch, scale * point.*value);
    }
  }
  drawn(path, [&] { rw::io::plot_lines(path, {.x = "epoch", .y = quantity}, lines); });
}

struct HeatMap {
  std::string symbols;                     // one for each step
  std::vector<std::vector<double>> units;  // [unit][step]
  double largest = 0;                      // magnitude
};

HeatMap heat_map(const std::string& symbols, const rw::Tensor& hidden) {
  const std::vector<float> values = hidden.to_vector<float>();
  const std::size_t count = values.size() / std::max<std::size_t>(1, symbols.size());
  HeatMap map{symbols, std::vector(count, std::vector<double>(symbols.size())), 1e-12};
  for (std::size_t t = 0; t < symbols.size(); ++t) {
    for (std::size_t unit = 0; unit < count; ++unit) {
      const double value = values[t * count + unit];
      map.units[unit][t] = value;
      map.largest = std::max(map.largest, std::abs(value));
    }
  }
  return map;
}

std::string heat_map_script(const HeatMap& map) {
  std::string script = head;
  script += "$map << END\n";
  for (const std::vector<double>& unit : map.units) {
    script += fmt::format("{}\n", fmt::join(unit, " "));
  }
  script += "END\nset xtics (";
  const bool crowded = map.symbols.size() > 60;  // then only those that matter
  for (std::size_t t = 0; t < map.symbols.size(); ++t) {
    const char symbol = map.symbols[t];
    if (!crowded || symbol < 'a') {
      script += fmt::format("'{}' {}, ", symbol, t);
    }
  }
  script.resize(script.size() - 2);
  script += fmt::format(
      ")\nset title 'hidden state over time'\nset xlabel 'symbol'\nset ylabel 'unit'\n"
      "unset key\nunset grid\nset ytics 1\nset cbrange [{0}:{1}]\n"
      "set palette defined (-1 'blue', 0 'white', 1 'red')\n"
      "set xrange [-0.5:{2}]\nset yrange [{3}:-0.5]\nplot $map matrix with image\n",
      -map.largest, map.largest, static_cast<double>(map.symbols.size()) - 0.5,
      static_cast<double>(map.units.size()) - 0.5);
  return script;
}

/// Steps become fewer until they fit into a line; of several in one place the largest value and the
/// first capital letter stay.
HeatMap narrowed(const HeatMap& map, std::size_t width) {
  const std::size_t pool = (map.symbols.size() + width - 1) / width;
  const std::size_t steps = (map.symbols.size() + pool - 1) / std::max<std::size_t>(1, pool);
  HeatMap result{std::string(steps, ' '), std::vector(map.units.size(), std::vector<double>(steps)),
                 map.largest};
  for (std::size_t t = 0; t < map.symbols.size(); ++t) {
    char& symbol = result.symbols[t / pool];
    symbol = symbol == ' ' || (symbol >= 'a' && map.symbols[t] < 'a') ? map.symbols[t] : symbol;
    for (std::size_t unit = 0; unit < map.units.size(); ++unit) {
      double& value = result.units[unit][t / pool];
      value = std::abs(map.units[unit][t]) > std::abs(value) ? map.units[unit][t] : value;
    }
  }
  return result;
}

}  // namespace

bool gnuplot(const std::string& script, const std::string& path) {
  return drawn(path, [&] { rw::io::gnuplot(script, path); });
}

bool plot_history(const std::string& path, const rw::History& history,
                  const std::vector<std::string>& names) {
  return drawn(path, [&] { rw::io::plot_history(path, history, names); });
}

void plot_curves(const std::string& folder, const std::vector<Curve>& curves) {
  std::vector<Curve> trained;
  std::copy_if(curves.begin(), curves.end(), std::back_inserter(trained),
               [](const Curve& curve) { return !curve.points.empty(); });
  if (!folder.empty() && !trained.empty()) {
    plot_lines(folder + "/loss.png", "loss", trained, &Curve::Point::loss, 1.0);
    plot_lines(folder + "/accuracy.png", "accuracy in %", trained, &Curve::Point::accuracy, 100.0);
  }
}

void plot_hidden_state(const std::string& folder, const std::string& symbols,
                       const rw::Tensor& hidden) {
  const HeatMap map = heat_map(symbols, hidden);
  if (!folder.empty() && gnuplot(heat_map_script(map), folder + "/hidden_state.png")) {
    return;
  }
  const HeatMap narrow = narrowed(map, 100);
  fmt::print("\nhidden state over time, one line per unit; {} is -{:.2f} to {:.2f}\n          ",
             shade_legend(), map.largest, map.largest);
  for (const char symbol : narrow.symbols) {
    fmt::print("{}", symbol < 'a' ? paint({&symbol, 1}, Colour::yellow) : std::string(1, symbol));
  }
  for (std::size_t unit = 0; unit < narrow.units.size(); ++unit) {
    fmt::print("\nunit {:3}  ", unit);
    for (const double value : narrow.units[unit]) {
      fmt::print("{}", shade(value / map.largest));
    }
  }
  fmt::print("\n");
}

}  // namespace examples
