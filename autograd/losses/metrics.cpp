#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <rewind/autograd/losses/metrics.hpp>
#include <rewind/autograd/losses/own_steps.hpp>

namespace rw {
namespace {

/// The index of the first largest of n elements, or -1 if there is none or any is NaN.
template <class T>
std::int64_t winner(const T* x, std::int64_t n) {
  std::int64_t best = n == 0 ? -1 : 0;
  for (std::int64_t c = 0; c < n; ++c) {
    if (std::isnan(x[c])) {
      return -1;
    }
    best = x[c] > x[best] ? c : best;
  }
  return best;
}

}  // namespace

double perplexity(double nats_per_token) { return std::exp(nats_per_token); }

double bits_per_character(double nats_per_character) {
  return nats_per_character / std::numbers::ln2;
}

namespace {
Tally counted(const char* who, const Tensor& scores, const Tensor& targets,
              const AccuracyOptions& options) {
  check<UsageError>(is_floating(scores.dtype()),
                    "{}: scores are int64, expected float32 or float64; scores come first, "
                    "targets second",
                    who);
  check_shape(scores.rank() >= 1, "{}: scores are {}, expected [..., classes]", who,
              scores.shape());
  check<UsageError>(targets.dtype() == DType::int64,
                    "{}: targets are {}, expected int64 class indices", who,
                    name_of(targets.dtype()));
  const Shape rows = scores.shape().without(-1);
  check_shape(targets.shape() == rows,
              "{}: targets are {}, expected {}: one class index for each row of {}", who,
              targets.shape(), rows, scores.shape());
  const Tensor wanted = detail::copy_of(targets);
  const auto* const target = wanted.data<std::int64_t>();
  const bool masked = options.lengths.lengths.defined();
  check_shape(!masked || scores.rank() == 3,
              "{}: scores are {}, expected [T, B, classes] where there are lengths", who,
              scores.shape());
  const std::int64_t batch = masked ? scores.size(1) : 1;
  const detail::OwnSteps own(who, "lengths", options.lengths, batch, masked ? scores.size(0) : 0);
  Tally tally;
  dispatch_floating(scores.dtype(), [&](auto type) {
    using T = decltype(type);
    for (std::int64_t r = 0; r < rows.elements(); ++r) {
      const bool padding = masked && !own.holds(r / batch, r % batch);
      if (padding || target[r] == options.ignore_index) {
        continue;
      }
      const std::int64_t got = winner(scores.row<T>(r), scores.columns());
      tally.hits += got >= 0 && got == target[r] ? 1 : 0;
      ++tally.total;
    }
  });
  return tally;
}
}  // namespace

Tally count_correct(const Tensor& scores, const Tensor& targets, const AccuracyOptions& options) {
  return counted("count_correct", scores, targets, options);
}

double accuracy(const Tensor& scores, const Tensor& targets, const AccuracyOptions& options) {
  return counted("accuracy", scores, targets, options).rate();
}

std::int64_t edit_distance(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  // row[j] is the distance between the part of a read so far and the first j elements of b.
  std::vector<std::int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::int64_t{0});
  for (const std::int64_t element : a) {
    std::int64_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::int64_t substituted = diagonal + (element == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

double label_error_rate(std::span<const std::vector<std::int64_t>> hypotheses,
                        std::span<const std::vector<std::int64_t>> references) {
  check_shape(hypotheses.size() == references.size(),
              "label_error_rate: got {} hypotheses and {} references, expected as many",
              hypotheses.size(), references.size());
  std::int64_t errors = 0;
  std::int64_t labels = 0;
  for (std::size_t i = 0; i < references.size(); ++i) {
    errors += edit_distance(hypotheses[i], references[i]);
    labels += static_cast<std::int64_t>(references[i].size());
  }
  return errors == 0 ? 0 : static_cast<double>(errors) / static_cast<double>(labels);
}

}  // namespace rw
