#pragma once

#include <cstddef>
#include <string_view>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Number of bytes of the character (code point) that begins at `at`, or 0 if none does. UTF-8 as
/// in RFC 3629: no surrogates, no overlong forms, nothing beyond U+10FFFF.
std::size_t character_bytes(std::string_view text, std::size_t at);

/// The index of the first byte of `text` that is not UTF-8; its size if there is none.
std::size_t first_bad_byte(std::string_view text);

}  // namespace rw::io::detail

#pragma GCC visibility pop
