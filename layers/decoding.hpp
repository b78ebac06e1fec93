#pragma once
// Generates sequences with a model that returns the logits of one token at a time: greedily, or by
// sampling. Beam search is in beam_search.hpp.
//
// The model is a step, any function
//
//     (const Tensor& tokens /* int64 [N] */, const State& state) -> pair of logits [N, V] and State
//
// and any State whose tensors have a row for each sequence (for_each_tensor), for example a
// Decoder. All sequences of a batch are generated together. A sequence that has ended keeps its
// rows and is fed the end token; its logits are ignored. Nothing is recorded on a tape.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

template <class F, class State>
concept DecodingStep = requires(F& step, const Tensor& tokens, const State& state) {
  { step(tokens, state) } -> std::convertible_to<std::pair<Tensor, State>>;
};

/// A generated sequence: its tokens without the end token, and their log-probability under the
/// model, with the end token.
struct Decoded {
  std::vector<std::int64_t> tokens;
  double log_probability = 0;
  bool ended = false;  ///< ended by the end token, not by max_steps
};

struct GreedyOptions {
  /// The token that ends a sequence; if empty, every sequence has max_steps tokens.
  std::optional<std::int64_t> end = {};
  std::int64_t max_steps = 100;
};

struct SamplingOptions {
  /// As in GreedyOptions.
  std::optional<std::int64_t> end = {};
  std::int64_t max_steps = 100;
  /// Logits are divided by it: values below 1 make probable tokens more probable.
  double temperature = 1.0;
  /// Samples only from the k most probable tokens (Fan et al. 2018); 0: from all.
  std::int64_t top_k = 0;
  /// Samples only from the most probable tokens that together have probability p, after temperature
  /// and top_k (nucleus sampling, Holtzman et al. 2020).
  double top_p = 1.0;
};

namespace detail {

/// read_log_probabilities of one row; throws NonFiniteError, naming the step, if there are none.
void read_row(const char* who, const Tensor& logits, std::int64_t row, std::int64_t step,
              std::vector<double>& log_probabilities);

/// Throws UsageError or ShapeError unless `logits` have `rows` rows and a class for the end token.
void check_logits(const char* who, const Tensor& logits, std::int64_t rows,
                  const std::optional<std::int64_t>& end);

/// Throws unless `first` is int64 [B] and max_steps at least 0.
void check_start(const char* who, const Tensor& first, std::int64_t max_steps);

/// The sequences of a batch while they are generated, one token of each per step.
class Writing {
 public:
  /// Takes the most probable token.
  Writing(const Tensor& first, const GreedyOptions& options);
  /// Samples; draws one number for each sequence that has not ended, at every step.
  Writing(const Tensor& first, const SamplingOptions& options, Rng& rng);

  bool done() const { return unfinished_ == 0 || step_ == max_steps_; }
  const Tensor& tokens() const { return tokens_; }
  void append(const Tensor& logits);
  std::vector<Decoded> take() { return std::move(sequences_); }

 private:
  Writing(const char* who, const Tensor& first, const std::optional<std::int64_t>& end,
          std::int64_t max_steps);
  std::int64_t chosen(const std::vector<double>& log_probabilities);

  const char* who_;
  std::optional<std::int64_t> end_;
  std::int64_t max_steps_;
  SamplingOptions sampling_;
  Rng* rng_ = nullptr;  // null: greedy
  Tensor tokens_;
  std::int64_t step_ = 0;
  std::int64_t unfinished_;
  std::vector<Decoded> sequences_;
  std::vector<double> log_probabilities_;
  std::vector<double> weights_;
  std::vector<std::int64_t> order_;
};

template <class Step, class State>
std::vector<Decoded> write(Writing writing, Step&& step, State state) {
  const StopRecording stop;
  while (!writing.done()) {
    std::pair<Tensor, State> next = step(writing.tokens(), std::as_const(state));
    writing.append(next.first);
    state = std::move(next.second);
  }
  return writing.take();
}

}  // namespace detail

/// Takes the most probable token at each step; ties go to the first. `first` int64 [B] is the
/// model's first input, such as a start token; it is not part of the result.
///
/// Throws UsageError for a negative max_steps, wrong types or an end token outside the vocabulary,
/// ShapeError for other shapes, NonFiniteError for logits with a NaN or without a finite maximum.
template <class State, DecodingStep<State> Step>
std::vector<Decoded> greedy_decode(Step&& step, State state, const Tensor& first,
                                   const GreedyOptions& options = {}) {
  return detail::write(detail::Writing(first, options), step, std::move(state));
}

/// Samples each token from the model's probabilities, modified by the options; a top_k beyond the
/// vocabulary means all. The same seed gives the same tokens. log_probability is that of the
/// unmodified model. Throws as greedy_decode does, and UsageError unless temperature > 0, top_k >=
/// 0 and 0 < top_p <= 1.
template <class State, DecodingStep<State> Step>
std::vector<Decoded> sample_decode(Step&& step, State state, const Tensor& first, Rng& rng,
                                   const SamplingOptions& options = {}) {
  return detail::write(detail::Writing(first, options, rng), step, std::move(state));
}

}  // namespace rw
