#pragma once
// LibTorch's recurrent networks behind an interface of plain numbers, so that only one file
// includes LibTorch's headers, which compile slowly and are written for C++17.

#include <cstdint>
#include <string>
#include <vector>

namespace rw::testing {

enum class TorchKind { rnn_tanh, rnn_relu, lstm, gru };

/// A network, its weights, its inputs and the gradients of its outputs. All arrays are row-major.
struct TorchProblem {
  TorchKind kind = TorchKind::lstm;
  std::int64_t steps = 1, batch = 1, input = 1, hidden = 1, layers = 1;
  std::int64_t projection = 0;  // proj_size; 0: none
  bool bidirectional = false;
  bool bias = true;
  bool float64 = false;  // whether LibTorch computes in float64

  /// In LibTorch's order and layout: for each layer and, within it, each direction: weight_ih,
  /// weight_hh, bias_ih and bias_hh if there are biases, weight_hr if there is a projection.
  std::vector<std::vector<double>> weights;
  std::vector<double> x;       // [T, B, input]
  std::vector<double> h0, c0;  // [layers * directions, B, ...]; c0 of an LSTM only
  /// The gradients of the outputs and of the final states.
  std::vector<double> dy, dh, dc;
};

struct TorchResult {
  std::vector<double> y, h, c;
  std::vector<double> dx, dh0, dc0;
  std::vector<std::vector<double>> dweights;
};

/// Runs the network forward and backward. Throws std::logic_error if LibTorch is missing.
TorchResult run_torch(const TorchProblem& problem);

/// Logits of a batch, and the labels that they should spell.
struct TorchCtcProblem {
  std::int64_t steps = 1, batch = 1, classes = 2, blank = 0;
  std::vector<double> logits;         // [T, B, C]
  std::vector<std::int64_t> targets;  // of all sequences, one after another
  std::vector<std::int64_t> input_lengths, target_lengths;
  std::vector<double> dloss;  // [B], the gradients of the losses
  bool zero_infinity = false;
};

struct TorchCtcResult {
  std::vector<double> loss;     // [B]
  std::vector<double> dlogits;  // [T, B, C]
};

/// ctc_loss of log_softmax(logits) in float64, and its gradient. Throws as run_torch does.
TorchCtcResult run_torch_ctc(const TorchCtcProblem& problem);

/// LibTorch's version; empty if it is missing.
std::string torch_version();

}  // namespace rw::testing
