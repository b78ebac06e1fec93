#pragma once
// Decodes the output of a network trained with ctc_loss into labels. These functions read values;
// nothing is recorded. The loss itself is in <rewind/autograd/losses/ctc.hpp>.

#include <cstdint>
#include <vector>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Labels found in a sequence and the logarithm of their probability, or of the part that the
/// search found.
struct CtcDecoded {
  std::vector<std::int64_t> labels;
  double log_probability = 0;
};

/// The labels of the single most probable path of each sequence (Graves et al. 2006, best path
/// decoding), with that path's probability. Other labels may be more probable, because their many
/// paths sum to more: see ctc_beam_search.
///
/// `logits` is [T, B, C] (or log-probabilities, as in ctc_loss); `lengths` are those of the batch's
/// sequences, with padding on either side. Ties go to the first class. Throws ShapeError for sizes,
/// lengths or a blank that do not fit, UsageError for a wrong type, and NonFiniteError, naming the
/// step, for a step that contains a NaN or has no finite largest logit.
std::vector<CtcDecoded> ctc_greedy_decode(const Tensor& logits, const Lengths& lengths = {},
                                          std::int64_t blank = 0);

struct CtcBeamOptions {
  std::int64_t blank = 0;
  /// How many label prefixes are kept after each step.
  std::int64_t beams = 16;
  /// The maximum number of results for each sequence; there are fewer if fewer are possible.
  std::int64_t results = 1;
};

/// The most probable labels of each sequence, best first, by prefix beam search (Graves 2012,
/// Hannun et al. 2014) without a language model: the probabilities of a prefix's paths are summed,
/// separately for paths that end in a blank and those that do not.
///
/// With as many beams as there are prefixes the result and its probability are exact; with fewer
/// the probability is that of the paths that were kept, a lower bound. T = 0 gives no labels with
/// probability 1. Arguments and errors are as in ctc_greedy_decode; UsageError unless 1 <= results
/// <= beams.
std::vector<std::vector<CtcDecoded>> ctc_beam_search(const Tensor& logits,
                                                     const Lengths& lengths = {},
                                                     const CtcBeamOptions& options = {});

}  // namespace rw
