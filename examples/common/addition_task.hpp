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

/// Whether a + b belongs to the tenth of all sums that is kept for testing. The answer for b + a is
/// the same, or training could show a test sum with its terms exchanged.
bool is_for_testing(std::int64_t a, std::int64_t b);

/// Sums of numbers of up to `digits` digits. For testing, every number is equally likely; for
/// training, short numbers are more frequent.
std::vector<Sum> draw(std::int64_t digits, std::int64_t count, bool testing, rw::Rng& rng);

}  // namespace examples::addition
