#include <algorithm>

#include <rewind/autograd/tensor/printable.hpp>

namespace rw::detail {

std::string printable(std::string_view text, std::size_t most) {
  std::string part(text.substr(0, most));
  std::ranges::replace_if(
      part, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return text.size() > most ? part + "..." : part;
}

}  // namespace rw::detail
