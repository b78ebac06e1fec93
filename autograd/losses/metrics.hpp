#pragma once
// Figures to report about a model. Beside the losses, because layers, optimisers and whatever
// drives them may all want to report. They read values, record nothing and have no gradient.

#include <cstdint>
#include <span>
#include <vector>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/plain_nan.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// e^loss of a mean cross-entropy per token in nats: among how many equally likely tokens the model
/// is left to choose.
double perplexity(double nats_per_token);

/// A mean cross-entropy per character in nats, as bits: loss / ln 2.
double bits_per_character(double nats_per_character);

/// Hits among a number of tries. Those of several batches add up, so that batches of different
/// sizes count as they should.
struct Tally {
  std::int64_t hits = 0;
  std::int64_t total = 0;

  /// hits / total; NaN of no tries, as the mean of nothing is.
  double rate() const {
    return detail::plain_nan(static_cast<double>(hits) / static_cast<double>(total));
  }
  Tally& operator+=(const Tally& other) {
    hits += other.hits;
    total += other.total;
    return *this;
  }
};

struct AccuracyOptions {
  /// Rows with this target do not count.
  std::int64_t ignore_index = -100;
  /// Of scores [T, B, C]: steps in the padding do not count. Undefined: all do.
  Lengths lengths = {};
};

/// How many rows of `scores` [..., C] are largest at their target, int64 [...]. Of equal scores the
/// first is taken; a row that holds a NaN is wrong. Throws ShapeError for sizes that do not fit or
/// a length outside [0, T], UsageError for a wrong type. A target that is no class is never hit.
Tally count_correct(const Tensor& scores, const Tensor& targets,
                    const AccuracyOptions& options = {});

/// The share of rows that count_correct counts.
double accuracy(const Tensor& scores, const Tensor& targets, const AccuracyOptions& options = {});

/// The fewest insertions, deletions and substitutions that turn one sequence into the other
/// (Levenshtein 1966).
std::int64_t edit_distance(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

/// Edit distances between each hypothesis and its reference, added up, per label of the references:
/// the label, phoneme, character or word error rate. Above 1 when there are many insertions; of
/// empty references 0 if the hypotheses are empty as well, else infinity. Throws ShapeError unless
/// there are as many of the one as of the other.
double label_error_rate(std::span<const std::vector<std::int64_t>> hypotheses,
                        std::span<const std::vector<std::int64_t>> references);

}  // namespace rw
