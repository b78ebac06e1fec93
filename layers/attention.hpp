#pragma once
// Attention: a decoder's step sees the outputs of all steps of an encoder, its memory, as a mean
// weighted by how well each output matches the step's query.

#include <concepts>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/layers/layer_name.hpp>
#include <rewind/layers/sequence.hpp>

namespace rw {

/// The result of attention: the weighted mean of the memory [N, M], and the weights [N, T] for
/// inspection.
struct Attended {
  Tensor context;
  Tensor weights;
};

/// A batch of sequences to attend to, prepared once for all queries.
///
/// Steps beyond a sequence's length are set to zero here, and get weight 0 and no gradient.
struct AttentionMemory {
  Tensor values;  ///< [B, T, M]
  Tensor keys;    ///< [B, T, K]: what queries are compared with, specific to each attention
  Tensor mask;    ///< [B, 1, T], 1 for a step, 0 for padding; undefined: no padding

  /// The number of sequences.
  std::int64_t batch() const { return values.size(0); }
};

/// The memory of the steps [T, B, M] (the outputs of an encoder), with the values as keys. Throws
/// ShapeError for other shapes and for a length outside [0, T], UsageError for other types.
AttentionMemory attention_memory(const char* who, const Sequence& sequence);

/// `query` [N, features] as [B, N / B, features] for `keys` [B, ...]: row r is a query to sequence
/// r / (N / B). So the beams of a search, which are adjacent rows, share one memory. Throws
/// ShapeError when N is not a multiple of B or the features differ.
Tensor grouped_queries(const LayerName& who, const Tensor& query, std::int64_t features,
                       const Tensor& keys);

/// The last part of every attention: a softmax over the steps turns scores [B, N / B, T] into
/// weights, which give the weighted mean of the values.
///
/// A sequence of length 0 has weights 0 and context 0.
Attended attend(const Tensor& scores, const AttentionMemory& memory);

/// An attention: parameters, a function that prepares a memory, and one that answers queries [N,
/// Q], N being a multiple of the memory's batch (see grouped_queries). `Memory` is AttentionMemory
/// or your own type.
///
///     struct MyAttention {
///       using Memory = AttentionMemory;
///       Parameter weight;  // [M, Q]
///       Memory memory(const Sequence& sequence) const {
///         Memory m = attention_memory("my_attention", sequence);
///         m.keys = matmul(m.values, weight);  // once per sequence, not once per step
///         return m;
///       }
///       Attended operator()(const Tensor& query, const Memory& m) const {
///         const Tensor q = grouped_queries("my_attention", query, m.keys.size(2), m.keys);
///         return attend(matmul(q, transposed(m.keys)), m);  // scores [B, N / B, T]
///       }
///       template <class Visit> void parameters(Visit&& visit) { visit("weight", weight); }
///     };
template <class A>
concept Attention = HasParameters<A> && std::copyable<typename A::Memory> &&
    requires(const A& attention, const Tensor& query, const Sequence& sequence,
             const typename A::Memory& memory) {
  { attention.memory(sequence) } -> std::same_as<typename A::Memory>;
  { attention(query, memory) } -> std::same_as<Attended>;
};

struct BahdanauAttentionOptions {
  std::int64_t query = 0;
  std::int64_t memory = 0;
  std::int64_t hidden = 0;
  DType dtype = DType::float32;
};

/// Additive attention (Bahdanau et al. 2015).
///
///     score_t = v . tanh(q W_q + m_t W_m + b),   weights = softmax(score)
///
/// q [N, query], m_t [B, memory], W_q [query, hidden], W_m [memory, hidden], b [hidden], v [hidden,
/// 1]. The m_t W_m + b are the keys of the memory. Weights start Xavier-uniform, b at zero. Throws
/// ShapeError for other features.
struct BahdanauAttention {
  using Options = BahdanauAttentionOptions;
  using Memory = AttentionMemory;

  Parameter w_query, w_memory, bias, v;

  BahdanauAttention() = default;
  BahdanauAttention(const Options& options, Rng& rng);

  Memory memory(const Sequence& sequence) const;
  Attended operator()(const Tensor& query, const Memory& memory) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "bahdanau_attention");
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_query", w_query);
    visit("w_memory", w_memory);
    visit("bias", bias);
    visit("v", v);
  }
};

/// How LuongAttention compares a query with a step.
enum class LuongScore { dot, general };
constexpr const char* name_of(LuongScore score) {
  return score == LuongScore::dot ? "dot" : "general";
}

struct LuongAttentionOptions {
  std::int64_t query = 0;
  std::int64_t memory = 0;
  LuongScore score = LuongScore::general;
  DType dtype = DType::float32;
};

/// Multiplicative attention (Luong et al. 2015).
///
///     score_t = q . m_t            dot: query and memory of the same size, no parameters
///     score_t = q . (m_t W)        general: W [memory, query]
///     weights = softmax(score)
///
/// q [N, query], m_t [B, memory]; the m_t W are the keys of the memory. W starts Xavier-uniform.
/// Throws ShapeError for other features, UsageError for `dot` with two sizes.
struct LuongAttention {
  using Options = LuongAttentionOptions;
  using Memory = AttentionMemory;

  Parameter weight;  // empty: dot

  LuongAttention() = default;
  LuongAttention(const Options& options, Rng& rng);

  Memory memory(const Sequence& sequence) const;
  Attended operator()(const Tensor& query, const Memory& memory) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "luong_attention");
    visit("score", weight.defined() ? LuongScore::general : LuongScore::dot);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("weight", weight);
  }
};

}  // namespace rw
