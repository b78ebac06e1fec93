#pragma once

#include <string>

#include "problem.hpp"

namespace bench {

/// The network of `problem` as an ONNX model of input "x" [T, B, input] and output "y", whose
/// numbers lie as those of [T, B, output] do: an RNN, LSTM or GRU node for each layer.
std::string onnx_model(const Problem& problem);

/// Shape of "y": [T, 1, B, hidden], or [T, B, 2, hidden] where there are two directions.
std::vector<std::int64_t> onnx_output_shape(const Sizes& sizes);

}  // namespace bench
