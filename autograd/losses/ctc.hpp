#pragma once

#include <cstdint>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

struct CtcOptions {
  /// The class that stands for no label.
  std::int64_t blank = 0;
  /// `none` gives the loss of each sequence, [B]; `mean` divides each by its number of labels (at
  /// least 1) and averages over the batch, as PyTorch does.
  Reduction reduction = Reduction::mean;
  /// Sequences that no path can spell have loss 0 and gradient 0 instead of infinity and NaN.
  bool zero_infinity = false;
};

/// Connectionist temporal classification (Graves et al. 2006): -log p(labels | logits) of each
/// sequence, where p adds up the probabilities of all paths through its time steps that become the
/// labels once repeated classes are merged and then blanks removed.
///
/// `logits` is [T, B, C], classes with the blank among them; log-probabilities do as well, because
/// softmax(log p) is p. `targets` is int64 [S, B], time first as everywhere: column b holds
/// `target_lengths[b]` labels, none of them the blank. Sequence b has `input_lengths[b]` time
/// steps. Both may have their padding behind or in front (Lengths); undefined means S or T for all.
/// Steps and labels in the padding are never read; the gradient of such steps is exactly 0.
///
/// Labels need as many steps as there are labels and repetitions among them (a blank must part
/// equal neighbours); with fewer the loss is infinite and its gradient NaN, unless `zero_infinity`.
/// No labels at all leave the path of blanks only; no steps and no labels have loss 0. A class with
/// a logit of -infinity is on no path; a step without a softmax (losses.hpp) gives NaN.
///
/// Runs the forward-backward recursion on logarithms in float64, whatever the logits' type; second
/// and higher derivatives are exact. Throws ShapeError for sizes that do not fit, a length outside
/// its range, or a label outside [0, C) or equal to the blank; UsageError for a wrong type.
Tensor ctc_loss(const Tensor& logits, const Tensor& targets, const Lengths& input_lengths,
                const Lengths& target_lengths, const CtcOptions& options = {});

}  // namespace rw
