#pragma once
// Scheduled sampling (Bengio et al. 2015): in training a decoder now and then reads what it would
// have said itself, instead of the right token, and so learns to go on after its own mistakes.
//
// The schedules are the paper's, as the probability of reading one's own prediction at step i of
// training, 0 or little at first and growing.

#include <cstdint>

#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// min(most, i / steps): evenly.
double linear_sampling(std::int64_t step, std::int64_t steps, double most = 1.0);
/// 1 - k^i, k < 1: quickly at first.
double exponential_sampling(std::int64_t step, double k);
/// 1 - k / (k + e^(i / k)), k >= 1: in the shape of an S, half way at i = k ln k.
double inverse_sigmoid_sampling(std::int64_t step, double k);

/// The tokens [B] to read next: `right` [B], and in each row, with probability `own`, instead the
/// most probable one of `logits` [B, V]. Draws one number a row. Throws UsageError unless 0 <= own
/// <= 1, ShapeError for other shapes.
Tensor sampled_tokens(const Tensor& right, const Tensor& logits, double own, Rng& rng);

}  // namespace rw
