#include <algorithm>
#include <array>
#include <clocale>
#include <cmath>
#include <cwchar>
#include <utility>

#include <fmt/format.h>

#include <rewind/io/inspect/terminal_text.hpp>

namespace rw::inspect {
namespace {

/// The character at the start of a text that is not empty.
struct Character {
  std::size_t bytes = 1;
  std::optional<wchar_t> code;  // nothing for a byte that begins no character
};

Character first_of(std::string_view text) {
  wchar_t code = 0;
  std::mbstate_t state = {};
  const std::size_t bytes = std::mbrtowc(&code, text.data(), text.size(), &state);
  if (bytes > text.size()) {  // an error
    return {};
  }
  return {std::max<std::size_t>(bytes, 1), code};
}

/// Whether the character is invisible or changes the direction of writing.
bool misleads(wchar_t code) {
  constexpr std::array<std::pair<wchar_t, wchar_t>, 6> ranges = {{{0xad, 0xad},
                                                                  {0x200b, 0x200f},
                                                                  {0x2028, 0x202e},
                                                                  {0x2060, 0x206f},
                                                                  {0xfeff, 0xfeff},
                                                                  {0xe0000, 0xe007f}}};
  return std::ranges::any_of(
      ranges, [&](const auto& range) { return code >= range.first && code <= range.second; });
}

std::string escaped(std::string_view bytes, const Character& character) {
  const wchar_t code = character.code.value_or(0);
  if (character.code && code >= 0x80) {
    return fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(code));
  }
  switch (bytes.front()) {
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      return fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()));
  }
}

}  // namespace

void use_utf8() { std::setlocale(LC_CTYPE, "C.UTF-8"); }

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_of(text);
    const std::string_view bytes = text.substr(0, character.bytes);
    const bool is_shown = character.code && *character.code != L'\\' && *character.code != 0 &&
                          ::wcwidth(*character.code) >= 0 && !misleads(*character.code);
    result += is_shown ? std::string(bytes) : escaped(bytes, character);
    text.remove_prefix(character.bytes);
  }
  return result;
}

std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character character = first_of(text);
    columns += static_cast<std::size_t>(std::max(0, ::wcwidth(character.code.value_or(0))));
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  const std::size_t enough =
      64 * columns;  // escaping megabytes to show one line would take too long
  std::string whole = printable(text.substr(0, enough));
  if (text.size() <= enough && width_of(whole) <= columns) {
    return whole;
  }
  std::string result;
  std::size_t width = 3;
  for (std::string_view rest = whole; !rest.empty();) {
    const std::string_view next = rest.substr(0, first_of(rest).bytes);
    width += width_of(next);
    if (width > columns) {
      break;
    }
    result += next;
    rest.remove_prefix(next.size());
  }
  return result + "...";
}

std::string number_text(const Number& number) {
  constexpr std::int64_t short_numbers = 100'000'000;
  if (const auto* const whole = std::get_if<std::int64_t>(&number)) {
    return *whole > -short_numbers && *whole < short_numbers
               ? fmt::format("{}", *whole)
               : fmt::format("{:.4g}", static_cast<double>(*whole));
  }
  return fmt::format("{:.4g}", std::get<double>(number));
}

std::string number_text(const std::optional<Number>& number) {
  return number ? number_text(*number) : "-";
}

std::string number_text(const std::optional<double>& number) {
  return number ? number_text(Number(*number)) : "-";
}

std::string grouped(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::string counted(std::uint64_t number, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(number), noun, number == 1 ? "" : "s");
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> units = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) {
    return counted(bytes, "byte");
  }
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 and above would be shown as 1024.0: use the next unit.
  while (size >= 1023.95 && unit + 1 < units.size()) {
    size /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", size, units[unit]);
}

}  // namespace rw::inspect
