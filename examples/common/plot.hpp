#pragma once

#include <string>
#include <vector>

#include <rewind/autograd/tensor.hpp>

#include "common/training.hpp"

namespace examples {

/// Runs gnuplot on `script`, whose picture (it sets a terminal but no output) goes to the file
/// `path`. Neither a shell nor gnuplot reads the path. False, after a word on standard error, where
/// gnuplot is missing or failed.
bool gnuplot(const std::string& script, const std::string& path);

/// Draws DIR/loss.png and DIR/accuracy.png, with a line for each curve.
void plot_curves(const std::string& folder, const std::vector<Curve>& curves);

/// Draws how each unit of a hidden state [T, 1, units] reacts to the symbols of a sequence of T
/// characters: DIR/hidden_state.png, or in the terminal where there is no folder or no gnuplot.
void plot_hidden_state(const std::string& folder, const std::string& symbols,
                       const rw::Tensor& hidden);

}  // namespace examples
