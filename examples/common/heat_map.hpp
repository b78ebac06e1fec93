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
  std::string x, row;             // the meaning of a column and of a row
  std::string columns;            // one character for each
  std::vector<std::string> rows;  // the names
  rw::Tensor values;              // [rows, columns], or more columns as padding
  std::optional<double> largest =
      {};  // magnitude with the strongest colour; none: the largest of the values
  bool is_signed = true;
  std::string marked = {};  // names of the columns that matter most, kept where space is short
};

/// Draws FOLDER/FILE, or in the terminal if there is no folder or no gnuplot. Draws nothing if
/// there are no rows or columns.
void plot_heat_map(const std::string& folder, const std::string& file, const HeatMap& map);

}  // namespace examples
