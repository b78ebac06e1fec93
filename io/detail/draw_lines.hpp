#pragma once

#include <string>
#include <vector>

#include <rewind/io/plot.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// plot_lines() on behalf of the function `who`, which errors name.
void draw_lines(const char* who, const std::string& path, const PlotAxes& axes,
                const std::vector<PlotCurve>& curves);

}  // namespace rw::io::detail

#pragma GCC visibility pop
