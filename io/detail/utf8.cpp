#include <rewind/io/detail/utf8.hpp>

namespace rw::io::detail {
namespace {

std::size_t bytes_after(unsigned char lead) {
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return 2;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    return 3;
  }
  return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

}  // namespace

std::size_t character_bytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const std::size_t count = bytes_after(byte(0));
  if (count == 0 || count > text.size() - at) {
    return 0;
  }
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  const bool longer_than_needed =
      (byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xF0 && byte(1) < 0x90);
  const bool surrogate = byte(0) == 0xED && byte(1) > 0x9F;
  const bool beyond_the_last = byte(0) == 0xF4 && byte(1) > 0x8F;
  return longer_than_needed || surrogate || beyond_the_last ? 0 : count;
}

std::size_t first_bad_byte(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t count = character_bytes(text, at);
    if (count == 0) {
      break;
    }
    at += count;
  }
  return at;
}

}  // namespace rw::io::detail
