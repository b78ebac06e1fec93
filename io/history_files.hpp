#pragma once

#include <string>
#include <vector>

#include <rewind/io/plot.hpp>
#include <rewind/optim/history.hpp>

namespace rw::io {

/// A history as a table in CSV (RFC 4180, lines end with \n): a header line such as
/// "step,loss,validation", then one line for each step at which any series has a value. Cells
/// without a value are empty. Numbers have as many digits as needed to read the same values back.
std::string to_csv(const History& history);

/// Writes that table to the file `path` as write_file() does. Throws FileError, which leaves the
/// old file as it was.
void write_csv(const std::string& path, const History& history);

/// Draws series of a history over its steps, as the PNG file `path`; no names means all. Throws
/// FileError as plot_lines() does, and UsageError for a name that is not a series.
void plot_history(const std::string& path, const History& history,
                  const std::vector<std::string>& names = {},
                  const PlotAxes& axes = {.x = "epoch"});

}  // namespace rw::io
