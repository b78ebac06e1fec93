#pragma once
// Texts and numbers as they are shown to people. Whatever comes from a file goes through
// printable(), so that it cannot steer the terminal.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rewind/io/inspect/statistics.hpp>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

/// Columns that reports fit into, but for what nobody would want cut.
inline constexpr std::size_t screen_columns = 100;

/// Has printable() show what is not ASCII: to be called once, first.
void use_utf8();

/// `text` with control characters, bytes that are no UTF-8, and characters that are invisible or
/// change the direction of writing escaped: "\n", "\x1b", "\u{202e}". A backslash is doubled.
std::string printable(std::string_view text);

/// Columns that a printable text takes.
std::size_t width_of(std::string_view text);

/// `text`, printable and cut to `columns`, "..." in the place of what is left out.
std::string cut(std::string_view text, std::size_t columns);

/// Four digits of a floating number; an int64 in full while it is short.
std::string number_text(const Number& number);
/// "-" where there is none.
std::string number_text(const std::optional<Number>& number);
std::string number_text(const std::optional<double>& number);

/// "12,345".
std::string grouped(std::uint64_t number);
/// "1 tensor", "12,345 tensors".
std::string counted(std::uint64_t number, std::string_view noun);
/// "824 bytes", "12.3 KiB".
std::string bytes_text(std::uint64_t bytes);

}  // namespace rw::inspect

#pragma GCC visibility pop
