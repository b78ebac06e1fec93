#pragma once

#include <cstdint>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

struct CtcOptions {
  /// The class that means no label.
  std::int64_t blank = 0;
  /// `none` gives the loss of each sequence, [B]; `mean` divides each by its number of labels (at
  /// least 1) and averages over the batch, as PyTorch does.
  Reduction reduction = Reduction::mean;
  /// Sequences without any possible path have loss 0 and gradient 0 instead of infinity and NaN.
  bool zero_infinity = false;
};

/// Connectionist temporal classification (Graves et al. 2006): -log p(labels | logits) of each
/// sequence, where p is the sum of the probabilities of all paths through its time steps that give
/// the labels after merging repeated classes and then removing blanks.
///
/// `logits` is [T, B, C], including the blank class; log-probabilities work too, because
/// softmax(log p) is p. `targets` is int64 [S, B], time first as everywhere: column b holds
/// `target_lengths[b]` labels, none of them blank. Sequence b has `input_lengths[b]` time steps.
/// Both may be padded at the end or in front (Lengths); undefined means S or T for all. Steps and
/// labels in the padding are never read; the gradient of such steps is exactly 0.
///
/// A sequence needs at least as many steps as labels plus repetitions among them (a blank must
/// separate equal neighbours); with fewer the loss is infinite and its gradient NaN, unless
/// `zero_infinity`. Without labels, the only path is all blanks; with neither steps nor labels the
/// loss is 0. A class with a logit of -infinity is on no path; a step without a softmax
/// (losses.hpp) gives NaN.
///
/// Runs the forward-backward recursion on logarithms in float64, whatever the logits' type; second
/// and higher derivatives are exact. Throws ShapeError for sizes that do not fit, a length outside
/// its range, or a label outside [0, C) or equal to the blank; UsageError for a wrong type.
Tensor ctc_loss(const Tensor& logits, const Tensor& targets, const Lengths& input_lengths,
                const Lengths& target_lengths, const CtcOptions& options = {});

}  // namespace rw
