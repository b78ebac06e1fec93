#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include <rewind/autograd/tensor/state.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

namespace detail {
inline std::uint64_t xoshiro_step(std::uint64_t* s) {
  const std::uint64_t result = std::rotl(s[0] + s[3], 23) + s[0];
  const std::uint64_t shifted = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= shifted;
  s[3] = std::rotl(s[3], 45);
  return result;
}
/// The upper 53 bits as a number in [0, 1).
inline double unit_interval(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}
}  // namespace detail

/// A generator of random numbers (xoshiro256++, Blackman & Vigna 2021), seeded through splitmix64.
/// Passed explicitly wherever randomness is used. The same seed gives the same bits, integers,
/// uniform numbers and permutations on every machine; normal numbers go through the C library's
/// logarithm, and so can differ in the last bit from one library to another.
///
/// Moving copies, so a moved-from generator still works. Assignment writes into the existing state,
/// so that an earlier state() stays attached to its generator.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  Rng(const Rng& other);
  Rng& operator=(const Rng& other);
  ~Rng() = default;

  /// 64 random bits.
  std::uint64_t next() { return detail::xoshiro_step(words_); }
  /// Calls next() for each element, but faster: the state stays in registers.
  void fill(std::span<std::uint64_t> bits);
  /// Uniform among the multiples of 2^-53 in [0, 1).
  double uniform() { return detail::unit_interval(next()); }
  /// Uniform in [low, high); `low` when both are equal. Throws UsageError unless low <= high and
  /// high - low is finite.
  double uniform(double low, double high);
  /// Standard normal, by Marsaglia's polar method. Calls are independent: nothing is kept for the
  /// next one.
  double normal();
  /// Uniform among 0, ..., n - 1, without bias (Lemire 2019). Throws UsageError for n < 1.
  std::int64_t integer(std::int64_t n);
  /// True with the given probability. Throws UsageError unless it is in [0, 1].
  bool bernoulli(double probability);

  /// Tensors of `dtype` float32 or float64. They throw UsageError for int64. Errors are thrown
  /// before any number is drawn. Uniform in [low, high), as uniform(low, high).
  Tensor uniform(const Shape& shape, double low = 0, double high = 1, DType dtype = DType::float32);
  /// Normal. Throws UsageError unless both are finite and deviation >= 0. Draws numbers in pairs,
  /// so the values differ from those of repeated normal() calls.
  Tensor normal(const Shape& shape, double mean = 0, double deviation = 1,
                DType dtype = DType::float32);
  /// Samples one of 0, ..., K - 1 for each row of `weights` [..., K], with probability proportional
  /// to its weight, as int64 [...]. Weights need not add up to 1; softmax() turns logits into
  /// weights. An element of weight 0 is never drawn. Draws one number for each row. Throws
  /// ShapeError for a single number and for empty rows; UsageError for int64, and for a row with a
  /// negative, infinite or NaN weight, or without a positive one, before any number is drawn.
  Tensor categorical(const Tensor& weights);
  /// 0, ..., n - 1 in random order (Fisher-Yates). Throws UsageError for n < 0.
  std::vector<std::int64_t> permutation(std::int64_t n);

  /// An independent generator, seeded from this one.
  Rng split() { return Rng(next()); }

  /// The whole state, for checkpoints: restoring it continues the same sequence.
  StateList state() { return {{"xoshiro256++", state_}}; }
  /// From a state of zeros only, the generator never gets away.
  std::string fault_in(const StateList& values) const;

 private:
  Tensor state_;          // int64 [4]
  std::uint64_t* words_;  // its elements
};

}  // namespace rw
