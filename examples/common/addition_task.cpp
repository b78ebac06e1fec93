#include "common/addition_task.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace examples::addition {

namespace {

std::int64_t draw_number(std::int64_t digits, bool testing, rw::Rng& rng) {
  std::int64_t limit = 1;
  for (std::int64_t i = testing ? digits : 1 + rng.integer(digits); i > 0; --i) {
    limit *= 10;
  }
  return rng.integer(limit);
}

}  // namespace

bool is_for_testing(std::int64_t a, std::int64_t b) {
  const auto pair = static_cast<std::uint64_t>(std::max(a, b) * 1'000'000 + std::min(a, b));
  return rw::Rng(pair).integer(10) == 0;
}

std::vector<Sum> draw(std::int64_t digits, std::int64_t count, bool testing, rw::Rng& rng) {
  std::vector<Sum> sums;
  while (static_cast<std::int64_t>(sums.size()) < count) {
    const std::int64_t a = draw_number(digits, testing, rng);
    const std::int64_t b = draw_number(digits, testing, rng);
    if (is_for_testing(a, b) == testing) {
      sums.push_back({fmt::format("{}+{}", a, b), fmt::format("{}", a + b)});
    }
  }
  return sums;
}

}  // namespace examples::addition
