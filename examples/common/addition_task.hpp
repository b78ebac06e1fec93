#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rewind/autograd/tensor/rng.hpp>

namespace examples::addition {

struct Sum {
  std::string text;    // "123+45"
  std::string result;  // "168"
};

/// Whether a + b belongs to the tenth of all sums that is kept for testing. The same for b + a, or
/// it would be seen the other way round.
bool is_for_testing(std::int64_t a, std::int64_t b);

/// Sums of numbers of up to `digits` digits. For testing every number is as probable as any other;
/// for training short ones are not rare.
std::vector<Sum> draw(std::int64_t digits, std::int64_t count, bool testing, rw::Rng& rng);

}  // namespace examples::addition
