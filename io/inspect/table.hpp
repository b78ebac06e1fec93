#pragma once

#include <cstddef>
#include <string>
#include <vector>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

enum class Align { left, right };

/// Rows of printable cells, whose columns are as wide as their widest cell, with lines between them
/// that stand as they are. A first cell that leaves no room for the others on the screen stands on
/// a line of its own.
class Table {
 public:
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}

  void add_row(std::vector<std::string> cells);
  void add_line(std::string text);
  /// Each row indented by two.
  std::string text() const;

 private:
  struct Line {
    std::vector<std::string> cells;
    std::string text;  // where there are no cells
  };

  std::vector<std::size_t> widths() const;

  std::vector<Align> columns_;
  std::vector<Line> lines_;
};

}  // namespace rw::inspect

#pragma GCC visibility pop
