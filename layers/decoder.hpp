#pragma once
// A decoder: a recurrent network that generates tokens, each from the previous ones and from the
// result of an encoder.

#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/attention.hpp>
#include <rewind/layers/embedding.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/recurrent.hpp>
#include <rewind/layers/scheduled_sampling.hpp>

namespace rw {

/// Stands for the attention of a decoder without one, which sees only the encoder's last state.
struct NoAttention {
  struct Memory {};
  template <class Visit>
  void parameters(Visit&&) {}
};

struct DecoderOptions {
  std::int64_t vocabulary = 0;
  std::int64_t features = 0;  ///< of a token's embedding
  std::int64_t memory = 0;    ///< features of the memory; only with attention
  DType dtype = DType::float32;
};

/// The inputs of a decoder for teacher forcing with `targets` [T, B]: `first` [B], then all targets
/// except the last. All int64.
Tensor shifted_targets(const Tensor& first, const Tensor& targets);

namespace detail {

/// Whether a network takes [T, B, features] rather than one step.
template <class N>
inline constexpr bool runs_over_time = !Cell<N>;

void check_decoder_inputs(const Tensor& inputs, int rank);
void check_decoder_memory(const DecoderOptions& options, bool attends);

}  // namespace detail

/// Tokens in, logits of the next token out, through any network `N`: a cell, or a layer over time
/// (Recurrent, Stacked, LSTM, ...; not a bidirectional one), with or without attention.
///
///     x_t = embedding[token_t]                    without attention
///     y_t = network(x_t),   logits_t = y_t W + b
///
///     x_t = [embedding[token_t], a_{t-1}]         with attention
///     y_t = network(x_t),   c_t = attention(y_t, memory)
///     a_t = tanh([y_t, c_t] W_c),   logits_t = a_t W + b
///
/// The latter is input feeding (Luong et al. 2015). So the network has as many inputs as the
/// embedding has features, plus, with attention, its own output_size(), the size of a_t; a_0 is
/// zero. Bahdanau et al. (2015) also feed the attention of one step into the next. The network is
/// always called without an Rng, so its dropout is inactive here.
///
///     Decoder<GRU, LuongAttention> decoder({.vocabulary = 12, .features = 16, .memory = 64},
///                                          GRU({.input = 16 + 64, .hidden = 64}, rng),
///                                          LuongAttention({.query = 64, .memory = 64}, rng), rng);
///     auto [memory, last] = encoder(x);
///     auto [logits, weights, state] = decoder.teach(inputs, decoder.begin(last, memory));
///     auto found = beam_search(decoder, decoder.begin(last, memory), first, {.end = 1});
template <class N, class A = NoAttention>
struct Decoder {
  using Memory = typename A::Memory;
  static constexpr bool attends = !std::same_as<A, NoAttention>;

  /// What one step passes to the next. Its rows can be selected and reordered (select_rows); the
  /// memory, which is the same for all steps, is not among its tensors.
  struct State {
    typename N::State network;
    Tensor attended = {};  // a_t [B, output_size]
    Tensor weights = {};   // of the last step [B, S], for inspection
    Memory memory = {};

    template <class Visit>
    void tensors(Visit&& visit) {
      visit("network", network);
      if constexpr (attends) {
        visit("attended", attended);
        visit("weights", weights);
      }
    }
  };

  Embedding embedding;
  N network;
  A attention;
  Linear combine;  // W_c
  Linear readout;

  Decoder() = default;
  Decoder(const DecoderOptions& options, N decoding_network, Rng& rng) requires(!attends)
      : Decoder(options, std::move(decoding_network), A(), rng) {}
  Decoder(const DecoderOptions& options, N decoding_network, A attending, Rng& rng)
      : embedding({options.vocabulary, options.features, options.dtype}, rng),
        network(std::move(decoding_network)),
        attention(std::move(attending)),
        readout(
            {.input = network.output_size(), .output = options.vocabulary, .dtype = options.dtype},
            rng) {
    detail::check_decoder_memory(options, attends);
    if constexpr (attends) {
      combine = Linear({.input = network.output_size() + options.memory,
                        .output = network.output_size(),
                        .bias = false,
                        .dtype = options.dtype},
                       rng);
    }
  }

  /// The state before the first token; `from` is the network's, usually the encoder's last.
  State begin(typename N::State from) const requires(!attends) { return {std::move(from)}; }
  /// The same, and a memory to attend to: the outputs [S, B, features] of all steps of the encoder.
  State begin(typename N::State from, const Sequence& remembered) const requires attends {
    const std::int64_t batch = remembered.steps.rank() == 3 ? remembered.steps.size(1) : 0;
    return {std::move(from), zeros({batch, network.output_size()}, remembered.steps.dtype()),
            zeros({batch, remembered.steps.size(0)}, remembered.steps.dtype()),
            attention.memory(remembered)};
  }

  /// One step: tokens int64 [B] to the logits [B, vocabulary] of the next.
  std::pair<Tensor, State> operator()(const Tensor& tokens, State state) const {
    detail::check_decoder_inputs(tokens, 1);
    auto [y, next] = step(embedding(tokens), std::move(state));
    return {readout(y), std::move(next)};
  }

  /// The result of a run over a whole target: logits [T, B, vocabulary], the attention weights [T,
  /// B, S] (undefined without attention) and the state after the last step.
  struct Run {
    Tensor logits;
    Tensor weights;
    State state;
  };

  /// Teacher forcing: reads the inputs int64 [T, B] (see shifted_targets) instead of its own
  /// predictions.
  Run teach(const Tensor& inputs, State state) const {
    detail::check_decoder_inputs(inputs, 2);
    const Tensor embedded = embedding(inputs);
    if constexpr (!attends && detail::runs_over_time<N>) {
      auto [y, last] = network(embedded, std::move(state.network));
      return {readout(y), {}, {std::move(last)}};
    } else {
      return run(inputs, std::move(state),
                 [&](std::int64_t t, const Tensor&) { return select(embedded, 0, t); });
    }
  }

  /// Scheduled sampling (Bengio et al. 2015): each token after the first is, with probability
  /// `own`, replaced by the decoder's own prediction, the most probable one.
  Run teach(const Tensor& inputs, State state, double own, Rng& rng) const {
    detail::check_decoder_inputs(inputs, 2);
    return run(inputs, std::move(state), [&](std::int64_t t, const Tensor& before) {
      const Tensor right = select(inputs, 0, t);
      return embedding(t == 0 ? right : sampled_tokens(right, predicted(before), own, rng));
    });
  }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "decoder");
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("network", network);
    visit("attention", attention);
    visit("combine", combine);
    visit("readout", readout);
  }

 private:
  std::pair<Tensor, State> step(const Tensor& embedded, State state) const {
    Tensor y;
    if constexpr (attends) {
      std::tie(y, state.network) =
          one_step(concat({embedded, state.attended}, -1), std::move(state.network));
      auto [context, weights] = attention(y, state.memory);
      y = tanh(combine(concat({y, context}, -1)));
      state.attended = y;
      state.weights = std::move(weights);
    } else {
      std::tie(y, state.network) = one_step(embedded, std::move(state.network));
    }
    return {std::move(y), std::move(state)};
  }

  Tensor predicted(const Tensor& y) const {
    const StopRecording stop;
    return readout(y);
  }

  std::pair<Tensor, typename N::State> one_step(const Tensor& x, typename N::State state) const {
    if constexpr (detail::runs_over_time<N>) {
      auto [y, next] = network(unsqueeze(x, 0), std::move(state));
      return {squeeze(y, 0), std::move(next)};
    } else {
      return network(x, state);
    }
  }

  /// `input(t, y of t - 1)` gives the embedded tokens of step t.
  template <class Input>
  Run run(const Tensor& inputs, State state, Input&& input) const {
    TensorList outputs;
    TensorList weights;
    for (std::int64_t t = 0; t < inputs.size(0); ++t) {
      auto [y, next] = step(input(t, t == 0 ? Tensor() : outputs.back()), std::move(state));
      outputs.push_back(std::move(y));
      state = std::move(next);
      if constexpr (attends) {
        weights.push_back(state.weights);
      }
    }
    Run result;
    result.logits = readout(stacked(outputs, {0, inputs.size(1), network.output_size()}));
    if constexpr (attends) {
      result.weights = stacked(weights, {0, inputs.size(1), state.weights.size(1)});
    }
    result.state = std::move(state);
    return result;
  }

  Tensor stacked(const TensorList& steps, const Shape& empty) const {
    return steps.empty() ? zeros(empty, readout.weight.dtype())
                         : stack(std::span<const Tensor>(steps), 0);
  }
};

}  // namespace rw
