#include <algorithm>
#include <cmath>

#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/layers/scheduled_sampling.hpp>

namespace rw {

double linear_sampling(std::int64_t step, std::int64_t steps, double most) {
  check<UsageError>(steps > 0 && most >= 0 && most <= 1,
                    "linear_sampling: got steps {} and most {}, expected at least 1 and a "
                    "probability",
                    steps, most);
  return std::clamp(static_cast<double>(step) / static_cast<double>(steps), 0.0, most);
}

double exponential_sampling(std::int64_t step, double k) {
  check<UsageError>(k > 0 && k < 1, "exponential_sampling: k is {}, expected between 0 and 1", k);
  return 1 - std::pow(k, static_cast<double>(step));
}

double inverse_sigmoid_sampling(std::int64_t step, double k) {
  check<UsageError>(k >= 1, "inverse_sigmoid_sampling: k is {}, expected at least 1", k);
  return 1 / (1 + k * std::exp(-static_cast<double>(step) / k));
}

Tensor sampled_tokens(const Tensor& right, const Tensor& logits, double own, Rng& rng) {
  check<UsageError>(own >= 0 && own <= 1,
                    "scheduled sampling: own is {}, expected a probability from 0 to 1", own);
  check_shape(right.rank() == 1 && logits.rank() == 2 && logits.size(0) == right.size(0),
              "scheduled sampling: tokens are {} and logits {}, expected [B] and [B, vocabulary]",
              right.shape(), logits.shape());
  const Tensor predicted = argmax(logits.detach());
  Tensor tokens = right.clone();
  auto* const token = tokens.mutable_data<std::int64_t>();
  const auto* const prediction = predicted.data<std::int64_t>();
  for (std::int64_t b = 0; b < tokens.size(0); ++b) {
    if (rng.bernoulli(own)) {
      token[b] = prediction[b];
    }
  }
  return tokens;
}

}  // namespace rw
