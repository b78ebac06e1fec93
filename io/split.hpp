#pragma once
// A split of a data set that never changes: the part that an example belongs to depends on its key
// alone, not on the other examples, their order or the machine.

#include <concepts>
#include <cstdint>
#include <ranges>
#include <string_view>
#include <vector>

namespace rw {

/// A 64-bit hash of every byte and the seed, the same on every machine and in every version: FNV-1a
/// of the bytes, then splitmix64's finaliser. Not cryptographic.
std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed = 0);
/// The hash of the number's eight bytes, lowest first.
std::uint64_t stable_hash(std::int64_t number, std::uint64_t seed = 0);

enum class Part { train, valid, test };

struct SplitOptions {
  double valid = 0.1;  ///< share of examples for validation
  double test = 0.1;   ///< share of examples for the test; the rest is for training
  std::uint64_t seed = 0;
};

/// The part that the example with this key belongs to: test if hash / 2^64 is in [0, test),
/// validation if in [test, test + valid), otherwise training. Adding examples or changing the share
/// for validation never moves an example into or out of the test part. Give copies of one example,
/// or all examples of one person, the same key. Throws UsageError unless both shares are at least 0
/// and together at most 1.
Part part_of(std::string_view key, const SplitOptions& options = {});
Part part_of(std::int64_t key, const SplitOptions& options = {});

/// The numbers of the examples of each part, in increasing order.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> valid;
  std::vector<std::int64_t> test;

  std::vector<std::int64_t>& operator[](Part part) {
    return part == Part::train ? train : part == Part::valid ? valid : test;
  }
};

/// Splits examples by their keys: texts or integers, one for each.
template <std::ranges::input_range Keys>
Split split_by_hash(const Keys& keys, const SplitOptions& options = {}) {
  Split split;
  std::int64_t number = 0;
  for (const auto& key : keys) {
    if constexpr (std::integral<std::remove_cvref_t<decltype(key)>>) {
      split[part_of(static_cast<std::int64_t>(key), options)].push_back(number++);
    } else {
      split[part_of(std::string_view(key), options)].push_back(number++);
    }
  }
  return split;
}

}  // namespace rw
