#pragma once

#include <cstdint>

namespace rw::detail {

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014): a bijection after which every bit of
/// the result depends on every bit of `x`.
constexpr std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

/// splitmix64's increment, for the n-th of a sequence of seeds: mixed(seed + n * increment).
inline constexpr std::uint64_t mix_increment = 0x9E3779B97F4A7C15;

}  // namespace rw::detail
