#pragma once
// What entries of a file are called when they are loaded under other names.

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// What `path` is called after the renamings, of which the first that fits it counts; `path` itself
/// when none does. An option below an entry that is renamed goes with it.
std::string renamed(const std::vector<Rename>& renames, const std::string& path);

/// The entries of a file under the names that they are to have.
class NamedEntries {
 public:
  /// Throws UsageError for a renaming that fits nothing or gives two entries the same name.
  NamedEntries(const std::vector<TensorRecord>& tensors, const std::vector<Rename>& renames);

  bool contains(const std::string& name) const { return by_name_.contains(name); }
  /// The entry of that name, which is then taken; null when there is none.
  const TensorRecord* take(const std::string& name);
  /// The file's own paths of those that nobody took, in order.
  std::vector<std::string> left() const;

 private:
  std::unordered_map<std::string, const TensorRecord*> by_name_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
