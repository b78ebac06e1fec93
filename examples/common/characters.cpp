#include "common/characters.hpp"

namespace examples {

rw::Tensor Characters::borders(std::int64_t count) const {
  return rw::full({count}, static_cast<double>(border()), rw::DType::int64);
}

rw::PaddedSequences Characters::encode(std::span<const std::string> lines, bool with_end) const {
  std::vector<std::vector<std::int64_t>> tokens;
  for (const std::string& line : lines) {
    tokens.push_back(vocabulary_.encode(line));
    if (with_end) {
      tokens.back().push_back(border());
    }
  }
  return rw::pad_sequences(tokens, border());
}

}  // namespace examples
