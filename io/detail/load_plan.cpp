#include <algorithm>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include <rewind/io/detail/load_plan.hpp>

namespace rw::io::detail {
namespace {

/// What `path` is called after the renaming; nothing when the renaming does not fit it.
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

/// The entries of a file under the names that they are to have. Throws UsageError.
class NamedEntries {
 public:
  NamedEntries(const std::vector<TensorRecord>& tensors, const std::vector<Rename>& renames) {
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
                        "'{}', or another renaming before fits it; list() gives the entries",
                        renames[i].to, renames[i].from);
    }
  }

  /// The entry of that name, which is then taken; null when there is none.
  const TensorRecord* take(const std::string& name) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) {
      return nullptr;
    }
    const TensorRecord* const entry = found->second;
    by_name_.erase(found);
    return entry;
  }
  /// The file's own paths of those that nobody took, in order.
  std::vector<std::string> left() const {
    std::vector<std::string> paths;
    for (const auto& [name, entry] : by_name_) {
      paths.push_back(entry->path);
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

 private:
  std::unordered_map<std::string, const TensorRecord*> by_name_;
};

}  // namespace

LoadPlan::LoadPlan(const StateList& state, const std::vector<TensorRecord>& tensors,
                   const LoadOptions& options)
    : options_(options) {
  NamedEntries named(tensors, options.rename);
  for (const auto& [path, target, range] : state) {
    const TensorRecord* const tensor = named.take(path);
    if (tensor == nullptr) {
      report_.missing.push_back(path);
    } else if (fits(*tensor, path, target)) {
      report_.loaded.push_back(path);
      sources_.push_back({tensor->path, target});
    } else {
      report_.mismatched.push_back(path);
    }
  }
  report_.unexpected = named.left();
}

std::string LoadPlan::objections() const {
  static const std::vector<std::string> none;
  const bool anything = !sources_.empty() || report_.complete();
  return listed({{"missing", options_.allow_missing && anything ? none : report_.missing},
                 {"unexpected", options_.allow_unexpected ? none : report_.unexpected},
                 {"wrong shape", options_.allow_mismatched && anything ? none : misshapen_},
                 {"wrong type", options_.allow_mismatched && anything ? none : mistyped_}});
}

bool LoadPlan::fits(const TensorRecord& tensor, const std::string& path, const Tensor& target) {
  if (tensor.shape != target.shape()) {
    misshapen_.push_back(fmt::format("{} is {}, expected {}", path, tensor.shape, target.shape()));
  }
  if (tensor.dtype != target.dtype()) {
    mistyped_.push_back(
        fmt::format("{} is {}, expected {}", path, name_of(tensor.dtype), name_of(target.dtype())));
  }
  return tensor.shape == target.shape() && tensor.dtype == target.dtype();
}

std::string listed(
    const std::vector<std::pair<std::string_view, std::vector<std::string>>>& kinds) {
  std::vector<std::string> parts;
  for (const auto& [kind, list] : kinds) {
    if (!list.empty()) {
      parts.push_back(fmt::format("{}: {}", kind, fmt::join(list, ", ")));
    }
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace rw::io::detail
