#pragma once
// The input of every contestant, as plain numbers. C++17, which LibTorch's headers require.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

enum class Kind { rnn, lstm, gru, gru_reset_before, custom };
enum class Mode { inference, training };

struct Sizes {
  std::int64_t steps, batch, input, hidden, layers;
  bool bidirectional = false;

  std::int64_t directions() const { return bidirectional ? 2 : 1; }
  /// Features that a layer reads.
  std::int64_t input_of(std::int64_t layer) const {
    return layer == 0 ? input : hidden * directions();
  }
  std::int64_t output() const { return hidden * directions(); }
};

/// Weights of one layer and direction in Rewind's layout: w_x [input, gates hidden], w_h [hidden,
/// gates hidden], bias [gates hidden], bias_h [hidden] or empty. Empty for the custom cell.
struct Weights {
  std::vector<float> w_x, w_h, bias, bias_h;
};

/// One network and one batch: x [T, B, input], and dy [T, B, output], the gradient of the outputs.
/// `weights` are listed layer by layer, forward before backward.
struct Problem {
  Kind kind;
  Sizes sizes;
  std::vector<float> x, dy;
  std::vector<Weights> weights;
};

/// One way to do the work. Inference: all outputs. Training: outputs, gradients of all weights and
/// of x.
class Contestant {
 public:
  virtual ~Contestant() = default;
  virtual void run() = 0;

  // Results of the last run(), laid out as in Problem.
  virtual std::vector<float> output() const { return {}; }
  virtual std::vector<float> input_gradient() const { return {}; }
  virtual std::vector<Weights> weight_gradients() const { return {}; }
};

inline std::int64_t gates_of(Kind kind) {
  switch (kind) {
    case Kind::rnn:
      return 1;
    case Kind::lstm:
      return 4;
    case Kind::gru:
    case Kind::gru_reset_before:
      return 3;
    case Kind::custom:
      return 2;
  }
  return 0;
}

inline const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::rnn:
      return "rnn";
    case Kind::lstm:
      return "lstm";
    case Kind::gru:
      return "gru";
    case Kind::gru_reset_before:
      return "gru-reset-before";
    case Kind::custom:
      return "custom-cell";
  }
  return "";
}

inline const char* name_of(Mode mode) { return mode == Mode::training ? "training" : "inference"; }

/// "T B I H layers", followed by "x2" if bidirectional.
inline std::string name_of(const Sizes& s) {
  return std::to_string(s.steps) + " " + std::to_string(s.batch) + " " + std::to_string(s.input) +
         " " + std::to_string(s.hidden) + " " + std::to_string(s.layers) +
         (s.bidirectional ? "x2" : "");
}

/// Floating-point operations of the matrix products: 2 T B gates H (I + H) for each layer and
/// direction, three times that in training.
inline double operations(Kind kind, const Sizes& s, Mode mode) {
  double total = 0;
  for (std::int64_t layer = 0; layer < s.layers; ++layer) {
    total += static_cast<double>(2 * s.steps * s.batch * gates_of(kind) * s.hidden *
                                 (s.input_of(layer) + s.hidden) * s.directions());
  }
  return mode == Mode::training ? 3 * total : total;
}

}  // namespace bench
