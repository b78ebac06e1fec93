#pragma once

#include <rewind/autograd/tensor/rng.hpp>

namespace examples::copy_task {

inline constexpr std::int64_t symbols = 8;  // the symbols to remember are 0 to 7
inline constexpr std::int64_t length = 10;  // how many of them to remember
inline constexpr std::int64_t blank = 8;
inline constexpr std::int64_t go = 9;
inline constexpr std::int64_t inputs = 10;
inline constexpr std::int64_t outputs = 9;  // the symbols and the blank

/// Ten symbols, `delay` - 1 blanks, "go", ten blanks; the answer is blanks until "go" has been seen
/// and then the ten symbols. So T = `delay` + 20 (Arjovsky et al. 2016, after Hochreiter and
/// Schmidhuber 1997).
struct Batch {
  rw::Tensor x;       // [T, B, 10] one-hot
  rw::Tensor target;  // int64 [T, B]
};

/// Throws UsageError for a delay below 1.
Batch draw_batch(std::int64_t delay, std::int64_t count, rw::Rng& rng);

/// The cross-entropy of the best strategy without memory, which is to predict blanks and then to
/// guess: 10 ln 8 / T.
double baseline(std::int64_t delay);

}  // namespace examples::copy_task
