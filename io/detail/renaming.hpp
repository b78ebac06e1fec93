#pragma once
// The names under which entries of a file are loaded.

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// The name of `path` after the renamings: the first that matches applies; `path` itself if none
/// does. An option below a renamed entry is renamed with it.
std::string renamed(const std::vector<Rename>& renames, const std::string& path);

/// The entries of a file under their new names.
class NamedEntries {
 public:
  /// Throws UsageError for a renaming that matches nothing or gives two entries the same name.
  NamedEntries(const std::vector<TensorRecord>& tensors, const std::vector<Rename>& renames);

  /// The entry of that name; null if there is none.
  const TensorRecord* find(const std::string& name) const;
  /// The entry of that name, which then counts as taken; null if there is none.
  const TensorRecord* take(const std::string& name);
  /// The file's own paths of the entries that were not taken, in order.
  std::vector<std::string> left() const;

 private:
  std::unordered_map<std::string, const TensorRecord*> by_name_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
