#pragma once

#include "onednn_primitives.hpp"

namespace bench::onednn {

/// The layers that one primitive computes.
struct Extent {
  std::int64_t steps, batch, input, hidden, layers, directions;
};

/// One recurrent primitive with its weights, forward and, in training, backward.
class Stage {
 public:
  Stage(Kind kind, Mode mode, const Extent& extent, const Weights* weights,
        const dnnl::engine& engine);

  const memory& output() const { return y_; }
  const memory& input_gradient() const { return dx_; }

  /// Prepares the calls for these inputs, and in training for these gradients of the outputs.
  void connect(const memory& x, const memory& dy);

  void pack(dnnl::stream& stream) const;
  void forward(dnnl::stream& stream) const;
  void backward(dnnl::stream& stream) const;

  void append_gradients(std::vector<Weights>& list) const;

 private:
  enum class Copy { in, out };

  std::int64_t place(std::int64_t gate) const;
  void copy_rows(std::vector<float>& ours, const memory& theirs, std::int64_t index,
                 std::int64_t rows, Copy way) const;
  void copy_bias(Weights& w, const memory& theirs, std::int64_t index, Copy way) const;

  Kind kind_;
  Extent extent_;
  Primitives primitives_;
  memory w_x_, w_h_, bias_, packed_w_x_, packed_w_h_, back_w_x_, back_w_h_;
  memory y_, dx_, back_dw_x_, back_dw_h_, dw_x_, dw_h_, dbias_, workspace_;
  memory state_, d_state_, d_cell_state_;
  std::vector<Call> pack_, pack_back_, unpack_;
  Call forward_, backward_;
};

}  // namespace bench::onednn
