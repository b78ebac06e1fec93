#pragma once

#include <string>

#include "problem.hpp"

namespace bench {

/// The network of `problem` as an ONNX model with input "x" [T, B, input] and output "y", whose
/// numbers have the layout of [T, B, output]: an RNN, LSTM or GRU node per layer.
std::string onnx_model(const Problem& problem);

/// Shape of "y": [T, 1, B, hidden], or [T, B, 2, hidden] if bidirectional.
std::vector<std::int64_t> onnx_output_shape(const Sizes& sizes);

}  // namespace bench
