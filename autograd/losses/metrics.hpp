#pragma once
// Metrics to report about a model. They read values, record nothing and have no gradient.

#include <cstdint>
#include <span>
#include <vector>

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/plain_nan.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// e^loss of a mean cross-entropy per token in nats: the effective number of equally likely tokens.
double perplexity(double nats_per_token);

/// A mean cross-entropy per character, converted from nats to bits: loss / ln 2.
double bits_per_character(double nats_per_character);

/// Number of hits and tries. Tallies of several batches can be summed, so that batches of different
/// sizes are weighted correctly.
struct Tally {
  std::int64_t hits = 0;
  std::int64_t total = 0;

  /// hits / total; NaN without tries, as the mean of nothing.
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
  /// Rows with this target are ignored.
  std::int64_t ignore_index = -100;
  /// For scores [T, B, C]: steps in the padding are ignored. Undefined: no padding.
  Lengths lengths = {};
};

/// How many rows of `scores` [..., C] are largest at their target, int64 [...]. Ties go to the
/// first score; a row with a NaN is wrong. Throws ShapeError for sizes that do not fit or a length
/// outside [0, T], UsageError for a wrong type. A target outside [0, C) is never hit.
Tally count_correct(const Tensor& scores, const Tensor& targets,
                    const AccuracyOptions& options = {});

/// The fraction of rows that count_correct counts.
double accuracy(const Tensor& scores, const Tensor& targets, const AccuracyOptions& options = {});

/// The fewest insertions, deletions and substitutions that turn one sequence into the other
/// (Levenshtein 1966).
std::int64_t edit_distance(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

/// Sum of the edit distances between each hypothesis and its reference, divided by the number of
/// labels in the references: the label, phoneme, character or word error rate. Can exceed 1 with
/// many insertions; for empty references 0 if the hypotheses are empty too, else infinity. Throws
/// ShapeError unless there are equally many of both.
double label_error_rate(std::span<const std::vector<std::int64_t>> hypotheses,
                        std::span<const std::vector<std::int64_t>> references);

}  // namespace rw
