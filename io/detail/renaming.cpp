#include <algorithm>

#include <rewind/io/detail/renaming.hpp>

namespace rw::io::detail {
namespace {

/// The new name of `path`; nothing if the renaming does not match it.
std::optional<std::string> renamed(const Rename& rename, const std::string& path) {
  const std::size_t star = rename.from.find('*');
  if (star == std::string::npos) {
    return path == rename.from ? std::optional(rename.to) : std::nullopt;
  }
  const std::string_view before = std::string_view(rename.from).substr(0, star);
  const std::string_view after = std::string_view(rename.from).substr(star + 1);
  if (path.size() < before.size() + after.size() || !path.starts_with(before) ||
      !path.ends_with(after)) {
    return std::nullopt;
  }
  std::string to = rename.to;
  to.replace(to.find('*'), 1, path, star, path.size() - before.size() - after.size());
  return to;
}

/// The same for a path below a renamed entry.
std::optional<std::string> renamed_below(const Rename& rename, const std::string& path) {
  if (rename.from.find('*') == std::string::npos && path.starts_with(rename.from + '/')) {
    return rename.to + path.substr(rename.from.size());
  }
  return renamed(rename, path);
}

}  // namespace

std::string renamed(const std::vector<Rename>& renames, const std::string& path) {
  for (const Rename& rename : renames) {
    if (std::optional<std::string> other = renamed_below(rename, path)) {
      return *std::move(other);
    }
  }
  return path;
}

NamedEntries::NamedEntries(const std::vector<TensorRecord>& tensors,
                           const std::vector<Rename>& renames) {
  for (const Rename& rename : renames) {
    const auto stars = std::count(rename.from.begin(), rename.from.end(), '*');
    check<UsageError>(stars <= 1 && std::count(rename.to.begin(), rename.to.end(), '*') == stars,
                      "checkpoint: cannot rename '{}' to '{}'; expected one '*' in each, or none",
                      rename.from, rename.to);
  }
  std::vector<bool> used(renames.size(), false);
  for (const TensorRecord& entry : tensors) {
    std::string name = entry.path;
    for (std::size_t i = 0; i < renames.size(); ++i) {
      if (std::optional<std::string> other = renamed(renames[i], entry.path)) {
        used[i] = true;
        name = *std::move(other);
        break;
      }
    }
    const auto [twin, fresh] = by_name_.emplace(name, &entry);
    check<UsageError>(fresh,
                      "checkpoint: '{}' and '{}' of the file would both be '{}'; rename "
                      "them differently",
                      twin->second->path, entry.path, name);
  }
  for (std::size_t i = 0; i < renames.size(); ++i) {
    check<UsageError>(used[i],
                      "checkpoint: there is nothing to rename to '{}': no entry of the file is "
                      "'{}', or an earlier renaming matches it; list() gives the entries",
                      renames[i].to, renames[i].from);
  }
}

const TensorRecord* NamedEntries::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

const TensorRecord* NamedEntries::take(const std::string& name) {
  const TensorRecord* const entry = find(name);
  by_name_.erase(name);
  return entry;
}

std::vector<std::string> NamedEntries::left() const {
  std::vector<std::string> paths;
  for (const auto& [name, entry] : by_name_) {
    paths.push_back(entry->path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace rw::io::detail
