#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rw::detail {

/// A text from anywhere, such as a file, as a message may show it: at most so many bytes, and '?'
/// in the place of control characters, which would reach the terminal.
std::string printable(std::string_view text, std::size_t most = 200);

}  // namespace rw::detail
