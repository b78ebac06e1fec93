#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <rewind/io/inspect/comparison.hpp>
#include <rewind/io/inspect/table.hpp>
#include <rewind/io/inspect/terminal_text.hpp>

namespace rw::inspect {
namespace {

std::string form_of(const std::optional<io::EntryInfo>& entry) {
  return entry ? fmt::format("{} {}", name_of(entry->dtype), entry->shape) : "-";
}

constexpr std::size_t text_columns = 34;

std::string text_or_dash(const std::optional<std::string>& text, std::size_t columns,
                         std::size_t skipped = 0) {
  if (!text) {
    return "-";
  }
  if (text->empty()) {
    return "\"\"";
  }
  return skipped == 0 ? cut(*text, columns)
                      : "..." + cut(std::string_view(*text).substr(skipped), columns - 3);
}

/// How many bytes to cut from the front of two long texts, so that the difference is visible.
std::size_t common_bytes(const TextDifference& difference) {
  constexpr std::size_t shown = 30;
  if (!difference.a || !difference.b) {
    return 0;
  }
  const auto first = std::ranges::mismatch(*difference.a, *difference.b).in1;
  const auto common = static_cast<std::size_t>(first - difference.a->begin());
  std::size_t skipped = common > 2 * shown ? common - shown : 0;
  const auto continues = [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
  };
  while (skipped > 0 && continues((*difference.a)[skipped])) {
    --skipped;
  }
  return skipped;
}

/// Texts that are too long to stand side by side are shown one below the other.
void add_texts(Table& table, const std::string& name, const std::vector<TextDifference>& texts) {
  table.add_line("");
  table.add_row({name, "a", "b"});
  for (const TextDifference& text : texts) {
    const std::string shown_name = "  " + cut(text.name, text_columns - 2);
    const auto is_short = [](const std::optional<std::string>& side) {
      return !side ||
             (side->size() <= 4 * text_columns && width_of(printable(*side)) <= text_columns);
    };
    if (is_short(text.a) && is_short(text.b)) {
      table.add_row(
          {shown_name, text_or_dash(text.a, text_columns), text_or_dash(text.b, text_columns)});
    } else {
      const std::size_t skipped = common_bytes(text);
      constexpr std::size_t columns = screen_columns - 10;
      table.add_row({shown_name});
      table.add_line("      a  " + text_or_dash(text.a, columns, skipped));
      table.add_line("      b  " + text_or_dash(text.b, columns, skipped));
    }
  }
}

std::string texts_text(const Comparison& comparison) {
  Table table({Align::left, Align::left, Align::left});
  if (!comparison.metadata.empty()) {
    add_texts(table, "metadata", comparison.metadata);
  }
  for (const ObjectDifference& object : comparison.objects) {
    std::vector<TextDifference> texts = object.options;
    if (object.kind) {
      texts.insert(texts.begin(), *object.kind);
    }
    add_texts(table, cut(object.path, text_columns), texts);
  }
  return table.text();
}

std::string unmatched_text(const Comparison& comparison) {
  if (comparison.unmatched.empty()) {
    return {};
  }
  Table table({Align::left, Align::left, Align::left});
  table.add_line("");
  table.add_row({"missing, or of another shape or type", "a", "b"});
  for (const EntryDifference& entry : comparison.unmatched) {
    table.add_row({printable(entry.path), form_of(entry.a), form_of(entry.b)});
  }
  return table.text();
}

std::string values_text(const Comparison& comparison) {
  if (comparison.values.empty()) {
    return {};
  }
  const bool counts = std::ranges::any_of(comparison.values, [](const ValueDifference& value) {
    return value.difference.non_finite > 0;
  });
  Table table({Align::left, Align::right, Align::right, Align::right, Align::right, Align::left,
               Align::right});
  table.add_line("");
  table.add_row(
      {"values", "differ", "of", "largest", "relative", "at", counts ? "not finite" : ""});
  for (const auto& [entry, difference] : comparison.values) {
    const auto count = [](std::int64_t number) {
      return grouped(static_cast<std::uint64_t>(number));
    };
    table.add_row({printable(entry.path), count(difference.elements), count(entry.shape.elements()),
                   number_text(difference.largest), number_text(difference.relative),
                   difference.largest ? fmt::format("[{}]", fmt::join(difference.at, ", ")) : "-",
                   difference.non_finite == 0 ? "" : count(difference.non_finite)});
  }
  return table.text();
}

std::string last_line(const Comparison& comparison) {
  const std::string where =
      comparison.below.empty() ? "" : fmt::format(" below {}", cut(comparison.below, 40));
  const std::string unknown =
      comparison.knows_objects ? ""
                               : "; without kinds and options, which a foreign file does not have";
  if (comparison.equal()) {
    return fmt::format("\nno difference{}: {}{}\n", where,
                       counted(comparison.tensors_in_both, "tensor"), unknown);
  }
  std::size_t kinds_and_options = 0;
  for (const ObjectDifference& object : comparison.objects) {
    kinds_and_options += object.options.size() + (object.kind ? 1 : 0);
  }
  std::vector<std::string> parts;
  if (!comparison.values.empty()) {
    parts.push_back(fmt::format("values of {} of {}", grouped(comparison.values.size()),
                                counted(comparison.tensors_in_both, "tensor")));
  }
  if (!comparison.unmatched.empty()) {
    parts.push_back(fmt::format("{} missing or of another shape or type",
                                counted(comparison.unmatched.size(), "tensor")));
  }
  if (kinds_and_options > 0) {
    parts.push_back(fmt::format("{} of objects", counted(kinds_and_options, "option")));
  }
  if (!comparison.metadata.empty()) {
    parts.push_back(fmt::format("{} of metadata", counted(comparison.metadata.size(), "text")));
  }
  return fmt::format("\ndifferent{}: {}{}\n", where, fmt::join(parts, "; "), unknown);
}

}  // namespace

std::string to_text(const Comparison& comparison) {
  return fmt::format("a: {}\nb: {}\n", printable(comparison.a), printable(comparison.b)) +
         texts_text(comparison) + unmatched_text(comparison) + values_text(comparison) +
         last_line(comparison);
}

}  // namespace rw::inspect
