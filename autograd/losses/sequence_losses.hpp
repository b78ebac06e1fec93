#pragma once
// Losses over a batch of sequences of different lengths, padded to one length T: only a sequence's
// own steps count, the first lengths[b] or, with padding in front, the last (Lengths). The content
// of the padding, even NaN, changes neither values nor gradients; its own gradient is exactly 0.
//
// Every function throws ShapeError for sizes that do not fit and for a length outside [0, T], which
// it names, and UsageError for a wrong type.

#include <cstdint>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// How the loss terms of a batch of sequences are reduced.
enum class SequenceReduction {
  none,           ///< not reduced; 0 in the padding
  sum,            ///< summed
  token_mean,     ///< the mean over all tokens of the batch: long sequences count more
  sequence_mean,  ///< the mean over the sequences of the mean over their tokens: all count the same
};

struct SequenceLossOptions {
  /// [C], as in CrossEntropyOptions.
  Tensor weights = {};
  /// Steps with this target have no loss and no gradient either, whatever their logits.
  std::int64_t ignore_index = -100;
  /// As in CrossEntropyOptions.
  double label_smoothing = 0.0;
  SequenceReduction reduction = SequenceReduction::token_mean;
};

/// Cross-entropy of each step's softmax(logits) with its target: logits [T, B, C], targets int64
/// [T, B], which are not read in the padding.
///
/// Both means are weighted by the targets' weights, as cross_entropy's is. A sequence without
/// tokens (length 0, or every target ignored) has no mean and does not count in `sequence_mean`; a
/// batch without tokens has loss 0.
Tensor sequence_cross_entropy(const Tensor& logits, const Tensor& targets, const Lengths& lengths,
                              const SequenceLossOptions& options = {});

/// Squared error (prediction - target)^2, both [T, B, ...]: the means are over all elements of the
/// steps that count.
Tensor sequence_mse(const Tensor& prediction, const Tensor& target, const Lengths& lengths,
                    SequenceReduction reduction = SequenceReduction::token_mean);

/// x [T, B, ...] with 0 in the padding; the gradient is 0 there.
Tensor mask_steps(const Tensor& x, const Lengths& lengths);

/// Reduces terms [T, B, ...] of any loss, as sequence_mse does. The terms' own gradients are finite
/// in the padding only if their arguments are; mask those:
///
///     Tensor terms = bce_with_logits(mask_steps(logits, lengths), mask_steps(targets, lengths),
///                                    {.reduction = Reduction::none});
///     Tensor loss = sequence_reduce(terms, lengths);
Tensor sequence_reduce(const Tensor& terms, const Lengths& lengths,
                       SequenceReduction reduction = SequenceReduction::token_mean);

}  // namespace rw
