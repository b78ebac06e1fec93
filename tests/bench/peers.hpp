#pragma once
// The libraries that Rewind is compared with. C++17, which LibTorch's headers require.

#include "problem.hpp"

namespace bench {

/// A library that takes part. To add one: NAME_peer.cpp, which defines a function declared below; a
/// line in peers.cpp; and, unless it is always installed, one in CMakeLists.txt. The table, the
/// chart and results.json follow.
struct Peer {
  std::string name;     // in the table and in results.json
  std::string title;    // in sentences
  std::string version;  // begins with "major.minor"; empty if the library was left out of the build
  /// Null if the library has no such cell or does not train. `threads` are already set.
  std::unique_ptr<Contestant> (*make)(const Problem& problem, Mode mode, int threads) = nullptr;

  bool is_at_least(int major, int minor) const;
};

/// All of them, including those that were left out of the build.
const std::vector<Peer>& peers();
const Peer& peer(const std::string& name);

/// oneDNN's own recurrent primitives (vanilla_rnn, lstm, lbr_gru, gru). Training is forward and
/// backward. It includes reordering the weights to the layouts of the primitives and the gradients
/// back, because an optimiser changes the weights between two steps. In inference, the weights are
/// packed beforehand.
Peer onednn_peer();

/// LibTorch's RNN, LSTM or GRU (which resets after the product). The version names the BLAS behind
/// its products.
Peer libtorch_peer();

/// onnxruntime's RNN, LSTM or GRU, which only infer. The session has optimised the graph and packed
/// the weights; inputs and outputs stay in the same memory.
Peer onnxruntime_peer();

}  // namespace bench
