#pragma once
// Scheduled sampling (Bengio et al. 2015): during training a decoder sometimes reads its own
// prediction instead of the correct token, and so learns to recover from its own mistakes.
//
// The schedules are the paper's, as the probability of reading its own prediction at training step
// i; it starts at or near 0 and grows.

#include <cstdint>

#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// min(most, i / steps): linear.
double linear_sampling(std::int64_t step, std::int64_t steps, double most = 1.0);
/// 1 - k^i, k < 1: fast at first.
double exponential_sampling(std::int64_t step, double k);
/// 1 - k / (k + e^(i / k)), k >= 1: S-shaped, 1/2 at i = k ln k.
double inverse_sigmoid_sampling(std::int64_t step, double k);

/// The tokens [B] to read next: in each row the one of `right` [B] or, with probability `own`, the
/// most probable one of `logits` [B, V]. Draws one number per row. Throws UsageError unless 0 <=
/// own <= 1, ShapeError for other shapes.
Tensor sampled_tokens(const Tensor& right, const Tensor& logits, double own, Rng& rng);

}  // namespace rw
