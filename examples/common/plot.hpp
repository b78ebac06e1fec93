#pragma once

#include <string>
#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/optim/history.hpp>

#include "common/training.hpp"

namespace examples {

/// rw::io::gnuplot; false, after a word on standard error, where there is no picture.
bool gnuplot(const std::string& script, const std::string& path);

/// rw::io::plot_history in the same way.
bool plot_history(const std::string& path, const rw::History& history,
                  const std::vector<std::string>& names);

/// Draws DIR/loss.png and DIR/accuracy.png, with a line for each curve.
void plot_curves(const std::string& folder, const std::vector<Curve>& curves);

/// Draws how each unit of a hidden state [T, 1, units] reacts to the symbols of a sequence of T
/// characters: DIR/hidden_state.png, or in the terminal where there is no folder or no gnuplot.
void plot_hidden_state(const std::string& folder, const std::string& symbols,
                       const rw::Tensor& hidden);

}  // namespace examples
