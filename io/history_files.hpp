#pragma once

#include <string>
#include <vector>

#include <rewind/io/plot.hpp>
#include <rewind/optim/history.hpp>

namespace rw::io {

/// A history as a table in CSV (RFC 4180, lines end with \n): a line "step,loss,validation" of
/// names, and one for each step at which any series has a value; a cell without value is empty.
/// Numbers have as many digits as it takes to get the same ones back.
std::string to_csv(const History& history);

/// Writes that table to the file `path` as write_file() does. Throws FileError, after which the old
/// file is as it was.
void write_csv(const std::string& path, const History& history);

/// Draws series of a history by step as the PNG file `path`; no names means all. Throws FileError
/// as plot_lines() does, and UsageError for a name that is no series.
void plot_history(const std::string& path, const History& history,
                  const std::vector<std::string>& names = {},
                  const PlotAxes& axes = {.x = "epoch"});

}  // namespace rw::io
