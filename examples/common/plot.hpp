#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/monitor.hpp"

namespace examples {

/// Calls `draw`, which writes the file `path`, and says so; false, after a word on standard error,
/// where it throws FileError and there is no picture.
bool draw_file(const std::string& path, const std::function<void()>& draw);

/// rw::io::gnuplot in this way.
bool gnuplot(const std::string& script, const std::string& path);

/// Draws DIR/loss.png and DIR/accuracy.png, with a line for each curve; nothing without a folder.
void plot_curves(const std::string& folder, const std::vector<Curve>& curves);

}  // namespace examples
