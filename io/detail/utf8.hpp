#pragma once

#include <cstddef>
#include <string_view>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Bytes of the character (code point) that begins at `at`, or 0 where none does: UTF-8 as RFC 3629
/// has it, so no surrogates, no longer forms than needed, nothing beyond U+10FFFF.
std::size_t character_bytes(std::string_view text, std::size_t at);

/// The first byte of `text` that is not UTF-8; its size when all is.
std::size_t first_bad_byte(std::string_view text);

}  // namespace rw::io::detail

#pragma GCC visibility pop
