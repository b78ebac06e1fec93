#pragma once
// From what a network trained with ctc_loss gives to labels. Plain functions of values: nothing is
// recorded. Beside the layers, as every decoder of a network's output; the loss itself is in
// <rewind/autograd/losses/ctc.hpp>.

#include <cstdint>
#include <vector>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Labels found in a sequence and the logarithm of their probability, as far as the search knows
/// it.
struct CtcDecoded {
  std::vector<std::int64_t> labels;
  double log_probability = 0;
};

/// The labels of the single most probable path of each sequence (Graves et al. 2006, best path
/// decoding), with that path's probability. The best labels may be others, whose many paths add up
/// to more: see ctc_beam_search.
///
/// `logits` is [T, B, C] (or log-probabilities, as in ctc_loss); `lengths` are those of the batch's
/// sequences, with the padding on either side. Of equal logits the first class is taken. Throws
/// ShapeError for sizes, lengths or a blank that do not fit, UsageError for a wrong type,
/// NonFiniteError for a step that holds a NaN or no finite largest logit, which it names.
std::vector<CtcDecoded> ctc_greedy_decode(const Tensor& logits, const Lengths& lengths = {},
                                          std::int64_t blank = 0);

struct CtcBeamOptions {
  std::int64_t blank = 0;
  /// How many label prefixes are kept after each step.
  std::int64_t beams = 16;
  /// How many results are returned for each sequence, at most; fewer where fewer are possible.
  std::int64_t results = 1;
};

/// The most probable labels of each sequence, best first, by prefix beam search (Graves 2012,
/// Hannun et al. 2014) without a language model: the paths of a prefix are added up, apart for
/// those that end in a blank and those that do not.
///
/// With as many beams as there are prefixes the result and its probability are exact; with fewer
/// the probability is that of the paths which were kept, a lower bound. T = 0 gives no labels with
/// probability 1. Arguments and errors as ctc_greedy_decode has them; UsageError unless 1 <=
/// results <= beams.
std::vector<std::vector<CtcDecoded>> ctc_beam_search(const Tensor& logits,
                                                     const Lengths& lengths = {},
                                                     const CtcBeamOptions& options = {});

}  // namespace rw
