#include <algorithm>
#include <numeric>
#include <utility>

#include <rewind/io/inspect/table.hpp>
#include <rewind/io/inspect/terminal_text.hpp>

namespace rw::inspect {
namespace {

constexpr std::size_t indent = 2;
constexpr std::size_t gap = 2;
/// The width that the first column keeps at least, however wide the others are.
constexpr std::size_t least_first_width = 20;

std::string padded(const std::string& cell, std::size_t width, Align align) {
  const std::size_t used = width_of(cell);
  const std::string spaces(width > used ? width - used : 0, ' ');
  return align == Align::left ? cell + spaces : spaces + cell;
}

}  // namespace

void Table::add_row(std::vector<std::string> cells) { lines_.push_back({std::move(cells), {}}); }

void Table::add_line(std::string text) { lines_.push_back({{}, std::move(text)}); }

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths(columns_.size());
  for (std::size_t column = columns_.size(); column-- > 0;) {
    std::size_t most = screen_columns;
    if (column == 0) {
      const std::size_t others =
          std::accumulate(widths.begin(), widths.end(), indent + gap * (widths.size() - 1));
      most = std::max(least_first_width, screen_columns - std::min(screen_columns, others));
    }
    for (const Line& line : lines_) {
      if (column < line.cells.size()) {
        const std::size_t width = width_of(line.cells[column]);
        widths[column] = width <= most ? std::max(widths[column], width) : widths[column];
      }
    }
  }
  return widths;
}

std::string Table::text() const {
  const std::vector<std::size_t> widths = this->widths();
  std::string result;
  for (const Line& line : lines_) {
    std::string row = line.text;
    for (std::size_t column = 0; column < line.cells.size(); ++column) {
      row += std::string(column == 0 ? indent : gap, ' ');
      row += padded(line.cells[column], widths[column], columns_[column]);
      if (column == 0 && width_of(line.cells[0]) > widths[0]) {
        result += row + '\n';
        row = std::string(indent + widths[0], ' ');
      }
    }
    row.erase(row.find_last_not_of(' ') + 1);
    result += row + '\n';
  }
  return result;
}

}  // namespace rw::inspect
