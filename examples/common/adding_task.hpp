#pragma once

#include <rewind/autograd/tensor/rng.hpp>

namespace examples {

/// Sequences of random numbers, two of which are marked, and their sum.
struct AddingBatch {
  rw::Tensor x;    // [T, B, 2]: a number in [0, 1), and 1 at the two marked steps, else 0
  rw::Tensor sum;  // [B, 1]: the sum of the two marked numbers
};

/// Mean squared error of always answering 1, the mean: the variance of the sum, twice the 1/12 of
/// one number.
inline constexpr double adding_baseline = 1.0 / 6.0;

/// One mark is in the first half, one in the second; every choice is uniform (Hochreiter and
/// Schmidhuber 1997, experiment 4, in the form of Le et al. 2015). Throws UsageError for fewer than
/// two steps.
AddingBatch adding_batch(std::int64_t steps, std::int64_t count, rw::Rng& rng);

}  // namespace examples
