#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <rewind/io/checkpoint_info.hpp>
#include <rewind/io/inspect/statistics.hpp>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

using Json = nlohmann::ordered_json;

/// Whether `path` is `group` or below it. The group without a name contains everything.
bool is_below(std::string_view path, std::string_view group);

/// Null for no number, or one that JSON does not have.
Json number_to_json(const std::optional<double>& number);

struct TensorDescription {
  io::EntryInfo entry;
  std::string object;                    // the innermost that it belongs to; empty if none
  std::optional<Statistics> statistics;  // nothing if the values are damaged
};

/// A file, or the part of it below a path.
struct Description {
  std::string file;
  std::string below;
  io::CheckpointInfo
      info;  // its objects: those below the path, and those that the tensors belong to
  std::vector<TensorDescription> tensors;
};

/// Totals over tensors.
struct Total {
  std::uint64_t tensors = 0;
  std::uint64_t values = 0;
  std::uint64_t bytes = 0;
  std::uint64_t nans = 0;
  std::uint64_t infinities = 0;
  std::uint64_t damaged = 0;

  void add(const TensorDescription& tensor);
};
Total total_of(const std::vector<TensorDescription>& tensors);

/// Reads the tensors below a path, one at a time. Throws as io::inspect() does, and UsageError if
/// nothing is below it.
Description describe(const std::string& file, const std::string& below);

/// docs/inspect.md lists the members.
Json to_json(const Description& description);
std::string to_text(const Description& description);

}  // namespace rw::inspect

#pragma GCC visibility pop
