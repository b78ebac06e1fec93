#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// A batch of sequences of different lengths.
struct PaddedSequences {
  Tensor steps;    ///< [T, B, ..], T the longest length
  Tensor lengths;  ///< int64 [B]
};

/// Sequences of tokens as one batch: int64 [T, B], with `value` where a sequence has no token. A
/// sequence may be empty. Throws UsageError for no sequences.
///
///     auto [tokens, lengths] = pad_sequences(examples_at(sentences, batch));
///     Tensor x = table(tokens);  // [T, B, F]
PaddedSequences pad_sequences(std::span<const std::vector<std::int64_t>> sequences,
                              std::int64_t value = 0, Padding padding = Padding::after);

/// Sequences [T_i, ..] of one type as one batch [T, B, ..] of that type. Not recorded: sequences
/// are data, not results. Throws UsageError for no sequences, different types, or a `value` that is
/// not an integer if the sequences are int64; ShapeError if sizes after the first differ, a
/// sequence has rank 0, or the batch would have more than five axes.
PaddedSequences pad_sequences(std::span<const Tensor> sequences, double value = 0,
                              Padding padding = Padding::after);

}  // namespace rw
