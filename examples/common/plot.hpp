#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/monitor.hpp"

namespace examples {

/// Calls `draw`, which writes the file `path`, and prints that it was written. If it throws
/// FileError, prints the reason to standard error and returns false.
bool draw_file(const std::string& path, const std::function<void()>& draw);

/// Calls rw::io::gnuplot through draw_file().
bool gnuplot(const std::string& script, const std::string& path);

/// Draws DIR/loss.png and DIR/accuracy.png, with one line per curve; draws nothing if there is no
/// folder.
void plot_curves(const std::string& folder, const std::vector<Curve>& curves);

}  // namespace examples
