#pragma once
// The libraries that Rewind is measured beside. C++17, as LibTorch's headers want.

#include "problem.hpp"

namespace bench {

/// A library that takes part. To add one: NAME_peer.cpp, which defines a function declared below, a
/// line in peers.cpp and, unless it is always installed, one in CMakeLists.txt; the table, the
/// chart and results.json follow.
struct Peer {
  std::string name;     // in the table and in results.json
  std::string title;    // in sentences
  std::string version;  // begins "major.minor"; empty where the library was left out of the build
  /// Null where the library has no such cell or does not train. `threads` are set already.
  std::unique_ptr<Contestant> (*make)(const Problem& problem, Mode mode, int threads) = nullptr;

  bool is_at_least(int major, int minor) const;
};

/// All of them, those that were left out too.
const std::vector<Peer>& peers();
const Peer& peer(const std::string& name);

/// oneDNN's own recurrent primitives (vanilla_rnn, lstm, lbr_gru, gru). Training: forward and
/// backward, with the reorders of the weights to the layouts that the primitives ask for and of
/// their gradients back, because an optimiser changes the weights between two steps. Inference: the
/// weights are packed beforehand.
Peer onednn_peer();

/// LibTorch's RNN, LSTM or GRU (which resets after the product). The version names the BLAS behind
/// its products.
Peer libtorch_peer();

/// onnxruntime's RNN, LSTM or GRU, which only infer. The session optimises the graph, has packed
/// its weights and finds input and output where they always lie.
Peer onnxruntime_peer();

}  // namespace bench
