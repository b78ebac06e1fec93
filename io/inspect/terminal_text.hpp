#pragma once
// Texts and numbers for people. Everything that comes from a file goes through printable(), so that
// it cannot control the terminal.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rewind/io/inspect/statistics.hpp>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

/// Width of reports in columns. Only what must not be cut is wider.
inline constexpr std::size_t screen_columns = 100;

/// Lets printable() show characters beyond ASCII. Call it once, at the start.
void use_utf8();

/// `text` with these escaped: control characters, bytes that are not UTF-8, and characters that are
/// invisible or change the direction of writing. They become "\n", "\x1b", "\u{202e}"; a backslash
/// is doubled.
std::string printable(std::string_view text);

/// Number of columns that a printable text takes.
std::size_t width_of(std::string_view text);

/// `text`, made printable and cut to `columns`; "..." replaces what is left out.
std::string cut(std::string_view text, std::size_t columns);

/// A floating-point number with four digits; an int64 in full if it is short.
std::string number_text(const Number& number);
/// "-" if there is none.
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
