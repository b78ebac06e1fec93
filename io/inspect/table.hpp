#pragma once

#include <cstddef>
#include <string>
#include <vector>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

enum class Align { left, right };

/// Rows of printable cells, each column as wide as its widest cell, with lines of plain text
/// between them. If a first cell leaves no room on the screen for the others, it gets a line of its
/// own.
class Table {
 public:
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}

  void add_row(std::vector<std::string> cells);
  void add_line(std::string text);
  /// With each row indented by two.
  std::string text() const;

 private:
  struct Line {
    std::vector<std::string> cells;
    std::string text;  // of a line without cells
  };

  std::vector<std::size_t> widths() const;

  std::vector<Align> columns_;
  std::vector<Line> lines_;
};

}  // namespace rw::inspect

#pragma GCC visibility pop
