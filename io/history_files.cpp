#include <cstddef>
#include <map>

#include <fmt/format.h>

#include <rewind/io/detail/draw_lines.hpp>
#include <rewind/io/detail/replace_file.hpp>
#include <rewind/io/history_files.hpp>

namespace rw::io {
namespace {

std::string cell(const std::string& name) {
  if (name.find_first_of(",\"\r\n") == std::string::npos) {
    return name;
  }
  std::string quoted = "\"";
  for (const char c : name) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

}  // namespace

std::string to_csv(const History& history) {
  std::string table = "step";
  std::map<std::int64_t, std::vector<std::string>> rows;
  for (std::size_t column = 0; column < history.series().size(); ++column) {
    const History::Series& series = history.series()[column];
    table.push_back(',');
    table += cell(series.name);
    for (const History::Point& point : series.points) {
      std::vector<std::string>& row = rows[point.step];
      row.resize(history.series().size());
      row[column] = fmt::format("{}", point.value);
    }
  }
  table.push_back('\n');
  for (const auto& [step, row] : rows) {
    table += fmt::format("{},{}\n", step, fmt::join(row, ","));
  }
  return table;
}

void write_csv(const std::string& path, const History& history) {
  detail::replace_file({detail::FileKind::table, path, "write_csv"}, to_csv(history));
}

void plot_history(const std::string& path, const History& history,
                  const std::vector<std::string>& names, const PlotAxes& axes) {
  std::vector<PlotCurve> curves;
  const auto append = [&](const std::string& name) {
    PlotCurve& curve = curves.emplace_back(PlotCurve{name, {}});
    for (const History::Point& point : history[name]) {
      curve.points.emplace_back(static_cast<double>(point.step), point.value);
    }
  };
  for (const std::string& name : names) {
    append(name);
  }
  if (names.empty()) {
    for (const History::Series& series : history.series()) {
      append(series.name);
    }
  }
  detail::draw_lines("plot_history", path, axes, curves);
}

}  // namespace rw::io
