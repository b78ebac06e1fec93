#include "common/translation.hpp"

#include <fmt/core.h>

#include "common/colour.hpp"

namespace examples {

rw::Tally compare_answers(std::span<const std::string> asked, std::span<const std::string> expected,
                          std::span<const std::string> got, std::int64_t width,
                          const char* between) {
  rw::Tally right{0, std::ssize(got)};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool same = got[i] == expected[i];
    right.hits += same ? 1 : 0;
    if (i < 10) {
      fmt::print("{:>{}}{}{}\n", asked[i], width, between,
                 paint(got[i], same ? Colour::green : Colour::red));
    }
  }
  return right;
}

}  // namespace examples
