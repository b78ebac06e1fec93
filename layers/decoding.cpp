#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include <rewind/layers/decoding.hpp>
#include <rewind/layers/detail/log_probabilities.hpp>

namespace rw::detail {

void read_row(const char* who, const Tensor& logits, std::int64_t row, std::int64_t step,
              std::vector<double>& log_probabilities) {
  check<NonFiniteError>(read_log_probabilities(logits, row, log_probabilities),
                        "{}: step {}: row {} of the logits {} holds a NaN or has no finite largest",
                        who, step, row, logits.shape());
}

void check_logits(const char* who, const Tensor& logits, std::int64_t rows,
                  const std::optional<std::int64_t>& end) {
  check<UsageError>(is_floating(logits.dtype()),
                    "{}: the step gave int64 logits, expected float32 or float64", who);
  check_shape(logits.rank() == 2 && logits.size(0) == rows && logits.columns() > 0,
              "{}: the step gave logits {}, expected [{}, vocabulary]", who, logits.shape(), rows);
  check<UsageError>(!end || (0 <= *end && *end < logits.columns()),
                    "{}: the end token {} is outside [0, {}), the tokens of logits {}", who,
                    end.value_or(0), logits.columns(), logits.shape());
}

void check_start(const char* who, const Tensor& first, std::int64_t max_steps) {
  check<UsageError>(first.dtype() == DType::int64, "{}: the first tokens are {}, expected int64",
                    who, name_of(first.dtype()));
  check_shape(first.rank() == 1, "{}: the first tokens are {}, expected [B], one for each sequence",
              who, first.shape());
  check<UsageError>(max_steps >= 0, "{}: max_steps is {}, expected at least 0", who, max_steps);
}

Writing::Writing(const char* who, const Tensor& first, const std::optional<std::int64_t>& end,
                 std::int64_t max_steps)
    : who_(who), end_(end), max_steps_(max_steps) {
  check_start(who, first, max_steps);
  tokens_ = first.clone();
  unfinished_ = first.size(0);
  sequences_.resize(static_cast<std::size_t>(first.size(0)));
}

Writing::Writing(const Tensor& first, const GreedyOptions& options)
    : Writing("greedy_decode", first, options.end, options.max_steps) {}

Writing::Writing(const Tensor& first, const SamplingOptions& options, Rng& rng)
    : Writing("sample_decode", first, options.end, options.max_steps) {
  check<UsageError>(options.temperature > 0 && std::isfinite(options.temperature),
                    "{}: temperature is {}, expected more than 0; greedy_decode takes the most "
                    "probable tokens",
                    who_, options.temperature);
  check<UsageError>(options.top_k >= 0, "{}: top_k is {}, expected at least 1, or 0 for all", who_,
                    options.top_k);
  check<UsageError>(options.top_p > 0 && options.top_p <= 1,
                    "{}: top_p is {}, expected a probability above 0", who_, options.top_p);
  sampling_ = options;
  rng_ = &rng;
}

void Writing::append(const Tensor& logits) {
  check_logits(who_, logits, tokens_.size(0), end_);
  // The step may have kept its handle to the tokens.
  tokens_ = tokens_.clone();
  auto* const tokens = tokens_.mutable_data<std::int64_t>();
  for (std::int64_t b = 0; b < tokens_.size(0); ++b) {
    Decoded& sequence = sequences_[static_cast<std::size_t>(b)];
    if (sequence.ended) {
      continue;
    }
    read_row(who_, logits, b, step_, log_probabilities_);
    tokens[b] = chosen(log_probabilities_);
    sequence.log_probability += log_probabilities_[static_cast<std::size_t>(tokens[b])];
    if (tokens[b] == end_) {
      sequence.ended = true;
      --unfinished_;
    } else {
      sequence.tokens.push_back(tokens[b]);
    }
  }
  ++step_;
}

std::int64_t Writing::chosen(const std::vector<double>& log_probabilities) {
  const auto best = std::max_element(log_probabilities.begin(), log_probabilities.end());
  if (rng_ == nullptr) {
    return best - log_probabilities.begin();
  }
  const auto classes = static_cast<std::int64_t>(log_probabilities.size());
  weights_.resize(log_probabilities.size());
  std::transform(log_probabilities.begin(), log_probabilities.end(), weights_.begin(),
                 [&](double x) { return std::exp((x - *best) / sampling_.temperature); });
  order_.resize(log_probabilities.size());
  std::iota(order_.begin(), order_.end(), 0);
  const auto weight = [&](std::int64_t token) { return weights_[static_cast<std::size_t>(token)]; };
  if (sampling_.top_p < 1 || (0 < sampling_.top_k && sampling_.top_k < classes)) {
    std::sort(order_.begin(), order_.end(), [&](std::int64_t a, std::int64_t b) {
      return std::tuple(-weight(a), a) < std::tuple(-weight(b), b);
    });
    if (sampling_.top_k > 0) {
      order_.resize(static_cast<std::size_t>(std::min(sampling_.top_k, classes)));
    }
  }
  double total = 0;
  for (const std::int64_t token : order_) {
    total += weight(token);
  }
  if (sampling_.top_p < 1) {
    double inside = 0;
    std::size_t count = 0;
    while (count < order_.size() && inside < sampling_.top_p * total) {
      inside += weight(order_[count++]);
    }
    order_.resize(count);
    total = inside;
  }
  const double at = rng_->uniform() * total;
  double passed = 0;
  std::int64_t last = order_.front();
  for (const std::int64_t token : order_) {
    if (weight(token) > 0) {
      last = token;
      passed += weight(token);
      if (at < passed) {
        break;
      }
    }
  }
  return last;
}

}  // namespace rw::detail
