#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rw::testing {

/// `count` numbers from -0.5 to 0.5, always the same, with no equal numbers close to each other.
inline std::vector<float> irregular_numbers(std::int64_t count) {
  std::vector<float> all(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<float>(i * 7919 % 1009) / 1009.0f - 0.5f;
  }
  return all;
}

}  // namespace rw::testing
