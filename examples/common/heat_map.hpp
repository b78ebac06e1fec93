#pragma once

#include <optional>
#include <string>
#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>

namespace examples {

/// Numbers in rows and columns, to be drawn in colours: blue below 0, white around it, red above;
/// numbers that are never negative from white to blue.
struct HeatMap {
  std::string title;
  std::string x, row;             // what a column and a row are
  std::string columns;            // a character names each
  std::vector<std::string> rows;  // the names
  rw::Tensor values;              // [rows, columns, or more: padding]
  std::optional<double> largest =
      {};  // magnitude, of the strongest colours; none: that of the values
  bool is_signed = true;
  std::string marked = {};  // the columns' names that matter most, where space is short
};

/// Draws FOLDER/FILE, or in the terminal where there is no folder or no gnuplot. Draws nothing
/// without rows or columns.
void plot_heat_map(const std::string& folder, const std::string& file, const HeatMap& map);

}  // namespace examples
