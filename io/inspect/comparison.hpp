#pragma once

#include <optional>
#include <string>
#include <vector>

#include <rewind/io/checkpoint_info.hpp>
#include <rewind/io/inspect/description.hpp>
#include <rewind/io/inspect/statistics.hpp>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

/// A text that only one file has, or that differs.
struct TextDifference {
  std::string name;
  std::optional<std::string> a;
  std::optional<std::string> b;
};

struct ObjectDifference {
  std::string path;
  std::optional<TextDifference> kind;  // nothing if both are of one kind
  std::vector<TextDifference> options;
};

/// A tensor that only one file has, or whose shape or type differs.
struct EntryDifference {
  std::string path;
  std::optional<io::EntryInfo> a;
  std::optional<io::EntryInfo> b;
};

struct ValueDifference {
  io::EntryInfo entry;
  Difference difference;
};

/// All differences between two checkpoints, except for the libraries that wrote them.
struct Comparison {
  std::string a;
  std::string b;
  std::string below;
  bool knows_objects = true;  // false if one of the files is foreign
  std::vector<TextDifference> metadata = {};
  std::vector<ObjectDifference> objects = {};
  std::vector<EntryDifference> unmatched = {};
  std::vector<ValueDifference> values = {};
  std::size_t tensors_in_both = 0;  // of one shape and type

  bool equal() const {
    return metadata.empty() && objects.empty() && unmatched.empty() && values.empty();
  }
};

/// Compares everything, metadata included, or what is below the path `below`. Throws as
/// io::inspect() and CheckpointFile::read() do, and UsageError if neither file has anything there.
Comparison compare(const std::string& a, const std::string& b, const std::string& below);

/// docs/inspect.md lists the members.
Json to_json(const Comparison& comparison);
std::string to_text(const Comparison& comparison);

}  // namespace rw::inspect

#pragma GCC visibility pop
