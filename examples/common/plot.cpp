#include "common/plot.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include <fmt/core.h>

#include <rewind/io/plot.hpp>

namespace examples {

namespace {

void plot_lines(const std::string& path, const char* quantity, const std::vector<Curve>& curves,
                double Curve::Point::*value, double scale) {
  std::vector<rw::io::PlotCurve> lines;
  for (const Curve& curve : curves) {
    rw::io::PlotCurve& line = lines.emplace_back(rw::io::PlotCurve{curve.label, {}});
    for (const Curve::Point& point : curve.points) {
      line.points.emplace_back(point.epoch, scale * point.*value);
    }
  }
  draw_file(path, [&] { rw::io::plot_lines(path, {.x = "epoch", .y = quantity}, lines); });
}

}  // namespace

bool draw_file(const std::string& path, const std::function<void()>& draw) {
  try {
    draw();
  } catch (const rw::io::FileError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return false;
  }
  fmt::print("wrote {}\n", path);
  return true;
}

bool gnuplot(const std::string& script, const std::string& path) {
  return draw_file(path, [&] { rw::io::gnuplot(script, path); });
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

}  // namespace examples
