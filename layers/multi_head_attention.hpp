#pragma once

#include <rewind/layers/attention.hpp>
#include <rewind/layers/linear.hpp>

namespace rw {

struct MultiHeadAttentionOptions {
  std::int64_t query = 0;   ///< features of the queries and of the result
  std::int64_t memory = 0;  ///< features of the memory; 0: as many as the query
  std::int64_t heads = 1;
  std::int64_t hidden = 0;  ///< of all heads together; 0: as many as the query
  bool bias = true;
  DType dtype = DType::float32;
};

/// Which steps a step may attend to in self-attention: all, or itself and earlier ones.
enum class AttentionMask { none, causal };

/// Scaled dot-product attention with several heads in parallel (Vaswani et al. 2017).
///
///     Q = q W_q + b_q,   K = m W_k + b_k,   V = m W_v + b_v,   each split into heads of size d
///     head_i = softmax(Q_i K_i^T / sqrt(d)) V_i
///     y = [head_1 ... head_n] W_o + b_o
///
/// W_q [query, hidden], W_k and W_v [memory, hidden], W_o [hidden, query], d = hidden / heads.
/// Weights start Xavier-uniform, biases at zero. There are three ways to call it: self-attention,
/// attention of one sequence to another, and, as the attention of a Decoder, of single queries to a
/// prepared memory. Padding has weight 0 and no gradient, whatever it holds.
///
///     MultiHeadAttention self({.query = 64, .heads = 4}, rng);
///     auto [y, weights] = self({x, lengths}, AttentionMask::causal);
///     Tensor z = norm(x + y);  // LayerNorm
///
/// Throws UsageError when the heads do not divide `hidden`, ShapeError for features or batches that
/// do not fit.
struct MultiHeadAttention {
  using Options = MultiHeadAttentionOptions;

  /// A batch of sequences, projected once for all queries.
  struct Memory {
    Tensor keys;    // [B, heads, S, d]
    Tensor values;  // [B, heads, S, d]
    Tensor mask;    // [B, 1, 1, S]; undefined: no padding
  };
  /// y [T, B, query] and each head's weights [B, heads, T, S].
  struct Result {
    Tensor y;
    Tensor weights;
  };

  Linear query, key, value, output;
  std::int64_t heads = 1;

  MultiHeadAttention() = default;
  MultiHeadAttention(const Options& options, Rng& rng);

  /// x [T, B, query] attends to itself; y is 0 in its padding.
  Result operator()(const Sequence& x, AttentionMask mask = AttentionMask::none) const;
  /// x [T, B, query] attends to a memory of B sequences; y is 0 in the padding of x.
  Result attend_to(const Memory& remembered, const Sequence& x) const;

  /// The memory of the steps [S, B, memory].
  Memory memory(const Sequence& sequence) const;
  /// Queries [N, query], N / B for each sequence: context [N, query], and the mean of the heads'
  /// weights [N, S].
  Attended operator()(const Tensor& queries, const Memory& remembered) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "multi_head_attention");
    visit("heads", heads);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("query", query);
    visit("key", key);
    visit("value", value);
    visit("output", output);
  }

 private:
  Result run(const Sequence& x, const Memory& remembered, const Tensor& mask) const;
  Tensor split_heads(const Tensor& x) const;
};

}  // namespace rw
