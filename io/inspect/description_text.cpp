#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include <rewind/io/inspect/description.hpp>
#include <rewind/io/inspect/table.hpp>
#include <rewind/io/inspect/terminal_text.hpp>

namespace rw::inspect {
namespace {

using Tensors = std::vector<const TensorDescription*>;

std::string sizes_text(const Total& total) {
  return fmt::format("{}, {}, {}", counted(total.tensors, "tensor"), counted(total.values, "value"),
                     bytes_text(total.bytes));
}

std::string first_line(const Description& description) {
  const io::CheckpointInfo& info = description.info;
  const std::string file = printable(description.file);
  if (info.is_foreign()) {
    return fmt::format(
        "{}: a foreign HDF5 file of {}\n"
        "It has no index: its objects are unknown, and damage to its values cannot be detected.\n",
        file, bytes_text(info.file_bytes));
  }
  return fmt::format("{}: a checkpoint of {}, format {}\nwritten by {}\n", file,
                     bytes_text(info.file_bytes), info.format_version,
                     cut(info.writer, screen_columns - 11));
}

std::string metadata_text(const io::CheckpointInfo& info) {
  constexpr std::size_t most_of_name = 40;
  Table table({Align::left, Align::left});
  for (const auto& [name, value] : info.metadata) {
    table.add_row({cut(name, most_of_name), cut(value, screen_columns - most_of_name - 4)});
  }
  return "\nmetadata\n" + table.text();
}

/// "name = value, name = value", in lines that fit on the screen.
std::vector<std::string> option_lines(const std::map<std::string, std::string>& options) {
  std::vector<std::string> lines;
  std::string line;
  std::size_t left = options.size();
  for (const auto& [name, value] : options) {
    const std::string option =
        fmt::format("{} = {}{}", cut(name, 45), cut(value, 45), --left == 0 ? "" : ",");
    if (!line.empty() && width_of(line) + 1 + width_of(option) > screen_columns - 2) {
      lines.push_back(std::exchange(line, {}));
    }
    line += (line.empty() ? "" : " ") + option;
  }
  if (!line.empty()) {
    lines.push_back(std::move(line));
  }
  return lines;
}

void add_heading(Table& table, const io::ObjectInfo* object, const Tensors& tensors,
                 bool is_foreign) {
  constexpr std::size_t least_of_kind = 20;
  Total total;
  for (const TensorDescription* const tensor : tensors) {
    total.add(*tensor);
  }
  const std::string sizes = sizes_text(total);
  table.add_line("");
  if (object == nullptr) {
    table.add_line(fmt::format("{}: {}", is_foreign ? "tensors" : "other tensors", sizes));
    return;
  }
  const std::string path = cut(object->path, screen_columns / 2);
  const std::size_t used = width_of(path) + sizes.size() + 4;
  const std::string kind =
      cut(object->kind, std::max(least_of_kind, screen_columns - std::min(screen_columns, used)));
  table.add_line(fmt::format("{}: {}{}{}", path, kind, kind.empty() ? "" : ", ", sizes));
  for (const std::string& line : option_lines(object->options)) {
    table.add_line("  " + line);
  }
}

std::string count_text(std::int64_t count) {
  return count == 0 ? "" : grouped(static_cast<std::uint64_t>(count));
}

std::string path_within(const TensorDescription& tensor) {
  const std::string& path = tensor.entry.path;
  return tensor.object.empty() || tensor.object == path ? path
                                                        : path.substr(tensor.object.size() + 1);
}

/// The columns for NaN and infinities appear only if there are any.
void add_tensors(Table& table, bool counts, const Tensors& tensors) {
  if (tensors.empty()) {
    return;
  }
  std::vector<std::string> header = {"tensor",  "type", "shape", "minimum",
                                     "maximum", "mean", "norm"};
  if (counts) {
    header.insert(header.end(), {"NaN", "inf"});
  }
  table.add_row(std::move(header));
  for (const TensorDescription* const tensor : tensors) {
    const io::EntryInfo& entry = tensor->entry;
    std::vector<std::string> row = {printable(path_within(*tensor)), name_of(entry.dtype),
                                    to_string(entry.shape)};
    if (tensor->statistics) {
      const Statistics& statistics = *tensor->statistics;
      row.insert(row.end(), {number_text(statistics.minimum), number_text(statistics.maximum),
                             number_text(statistics.mean), number_text(statistics.norm)});
      if (counts) {
        row.insert(row.end(), {count_text(statistics.nans), count_text(statistics.infinities)});
      }
    } else {
      row.emplace_back("damaged");
    }
    table.add_row(std::move(row));
  }
}

std::string last_line(const Description& description) {
  const Total total = total_of(description.tensors);
  std::string line = "\n" + sizes_text(total);
  if (!description.below.empty()) {
    line += fmt::format(" below {}", cut(description.below, 40));
  }
  if (total.nans > 0) {
    line += fmt::format("; {} NaN", grouped(total.nans));
  }
  if (total.infinities > 0) {
    line += fmt::format("; {} infinite", grouped(total.infinities));
  }
  if (total.damaged > 0) {
    line += fmt::format("; {} damaged", counted(total.damaged, "tensor"));
  }
  return line + '\n';
}

}  // namespace

std::string to_text(const Description& description) {
  const io::CheckpointInfo& info = description.info;
  const Total total = total_of(description.tensors);
  const bool counts = total.nans + total.infinities > 0;
  std::string text = first_line(description);
  if (!info.metadata.empty() && description.below.empty()) {
    text += metadata_text(info);
  }
  Table table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::right,
               Align::right, Align::right, Align::right});
  std::map<std::string_view, Tensors> tensors_of;
  for (const TensorDescription& tensor : description.tensors) {
    tensors_of[tensor.object].push_back(&tensor);
  }
  const auto add = [&](const io::ObjectInfo* object, const Tensors& tensors) {
    add_heading(table, object, tensors, info.is_foreign());
    add_tensors(table, counts, tensors);
  };
  for (const io::ObjectInfo& object : info.objects) {
    add(&object, tensors_of[object.path]);
  }
  if (const Tensors& others = tensors_of[""]; !others.empty()) {
    add(nullptr, others);
  }
  return text + table.text() + last_line(description);
}

}  // namespace rw::inspect
