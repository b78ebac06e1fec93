#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/hdf5_file.hpp>

namespace rw::io {
namespace {

/// The names of all groups above `path`, outermost first. Throws UsageError unless the path is made
/// of valid names.
std::vector<std::string> groups_above(const std::string& path) {
  std::vector<std::string> groups;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    check<UsageError>(
        detail::is_valid_name(std::string_view(path).substr(begin, end - begin)),
        "checkpoint: '{}' is not a path; expected names of 1 to {} bytes separated by '/', without "
        "control characters, none of them '.' or '..'",
        path, detail::max_name_bytes);
    if (end == path.size()) {
      break;
    }
    groups.push_back(path.substr(0, end));
    begin = end + 1;
  }
  check<UsageError>(groups.size() < static_cast<std::size_t>(detail::max_depth),
                    "checkpoint: '{}' has {} levels, expected at most {}", path, groups.size() + 1,
                    detail::max_depth);
  return groups;
}

void check_state(const StateList& state) {
  std::set<std::string> paths;
  std::set<std::string> groups;
  for (const StateEntry& entry : state) {
    for (std::string& group : groups_above(entry.path)) {
      groups.insert(std::move(group));
    }
    check<UsageError>(entry.tensor.defined(), "checkpoint: '{}' is an empty tensor handle",
                      entry.path);
    check<UsageError>(paths.insert(entry.path).second,
                      "checkpoint: the path '{}' occurs twice; give each object a name of its own",
                      entry.path);
  }
  for (const std::string& path : paths) {
    check<UsageError>(!groups.contains(path),
                      "checkpoint: '{}' names a tensor and also a group of tensors; rename one",
                      path);
  }
  check<UsageError>(
      paths.size() + groups.size() <= detail::max_objects,
      "checkpoint: {} tensors in {} groups are too many, expected at most {} together",
      paths.size(), groups.size(), detail::max_objects);
}

void check_attributes(const Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    check<UsageError>(
        !name.empty() && name.find('\0') == std::string::npos &&
            !name.starts_with(detail::own_prefix),
        "checkpoint: '{}' is not a name for an attribute; expected at least one byte, "
        "no NUL, and not '{}' in front",
        name, detail::own_prefix);
    check<UsageError>(value.find('\0') == std::string::npos,
                      "checkpoint: the value of attribute '{}' holds a NUL; expected text", name);
    const std::size_t bytes = name.size() + value.size();
    check<UsageError>(
        bytes <= detail::max_attribute_bytes,
        "checkpoint: attribute '{}' has {} bytes, expected at most {}; save long data "
        "as a tensor",
        name, bytes, detail::max_attribute_bytes);
  }
}

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
  NamedEntries(const std::vector<EntryInfo>& entries, const std::vector<Rename>& renames) {
    for (const Rename& rename : renames) {
      const auto stars = std::count(rename.from.begin(), rename.from.end(), '*');
      check<UsageError>(stars <= 1 && std::count(rename.to.begin(), rename.to.end(), '*') == stars,
                        "checkpoint: cannot rename '{}' to '{}'; expected one '*' in each, or none",
                        rename.from, rename.to);
    }
    std::vector<bool> used(renames.size(), false);
    for (const EntryInfo& entry : entries) {
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
  const EntryInfo* take(const std::string& name) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) {
      return nullptr;
    }
    const EntryInfo* const entry = found->second;
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
  std::unordered_map<std::string, const EntryInfo*> by_name_;
};

/// What of a file goes where, and all differences between the file and the state.
class Plan {
 public:
  Plan(const StateList& state, const std::vector<EntryInfo>& entries, const LoadOptions& options)
      : options_(options) {
    NamedEntries named(entries, options.rename);
    for (const auto& [path, tensor, range] : state) {
      const EntryInfo* const entry = named.take(path);
      if (entry == nullptr) {
        report_.missing.push_back(path);
      } else if (fits(*entry, path, tensor)) {
        report_.loaded.push_back(path);
        sources_.push_back({*entry, tensor});
      } else {
        report_.mismatched.push_back(path);
      }
    }
    report_.unexpected = named.left();
  }

  struct Source {
    EntryInfo entry;
    Tensor target;
  };
  const std::vector<Source>& sources() const { return sources_; }
  const LoadReport& report() const { return report_; }

  /// What is not allowed; empty when nothing is.
  std::string objections() const {
    static const std::vector<std::string> none;
    const bool anything = !sources_.empty() || report_.complete();
    return listed({{"missing", options_.allow_missing && anything ? none : report_.missing},
                   {"unexpected", options_.allow_unexpected ? none : report_.unexpected},
                   {"wrong shape", options_.allow_mismatched && anything ? none : misshapen_},
                   {"wrong type", options_.allow_mismatched && anything ? none : mistyped_}});
  }

  using Kinds = std::vector<std::pair<std::string_view, std::vector<std::string>>>;
  static std::string listed(const Kinds& kinds) {
    std::vector<std::string> parts;
    for (const auto& [kind, list] : kinds) {
      if (!list.empty()) {
        parts.push_back(fmt::format("{}: {}", kind, fmt::join(list, ", ")));
      }
    }
    return fmt::format("{}", fmt::join(parts, "; "));
  }

 private:
  bool fits(const EntryInfo& entry, const std::string& path, const Tensor& tensor) {
    if (entry.shape != tensor.shape()) {
      misshapen_.push_back(fmt::format("{} is {}, expected {}", path, entry.shape, tensor.shape()));
    }
    if (entry.dtype != tensor.dtype()) {
      mistyped_.push_back(fmt::format("{} is {}, expected {}", path, name_of(entry.dtype),
                                      name_of(tensor.dtype())));
    }
    return entry.shape == tensor.shape() && entry.dtype == tensor.dtype();
  }

  const LoadOptions& options_;
  LoadReport report_;
  std::vector<Source> sources_;
  std::vector<std::string> misshapen_;
  std::vector<std::string> mistyped_;
};

/// Copies `values` (dense, same shape and type) into `target`'s storage.
void assign(Tensor target, const Tensor& values) {
  dispatch(target.dtype(), [&](auto type) {
    using T = decltype(type);
    T* to = target.mutable_data<T>();
    if (target.elements() == 0) {
      return;
    }
    const T* from = values.data<T>();
    const std::int64_t columns = target.columns();
    for (std::int64_t r = 0; r < target.rows(); ++r) {
      std::memcpy(to + r * target.row_stride(), from + r * columns,
                  static_cast<std::size_t>(columns) * sizeof(T));
    }
  });
  rw::detail::end_loan(target);
}

}  // namespace

void detail::save(const std::string& path, const StateList& state, const Attributes& attributes,
                  const std::vector<SavedObject>& objects) {
  check_state(state);
  check_attributes(attributes);
  replace_file(path, encode(path, state, attributes, objects).bytes());
}

void save(const std::string& path, const StateList& state, const Attributes& attributes) {
  detail::save(path, state, attributes, {});
}

LoadReport load(const std::string& path, const StateList& state, const LoadOptions& options) {
  check_state(state);
  std::vector<Tensor> values;
  std::optional<Plan> plan;
  {
    detail::Reader reader(path, detail::read_file(path));
    plan.emplace(state, reader.entries(), options);
    const std::string objections = plan->objections();
    if (!objections.empty()) {
      throw StateMismatch(fmt::format(
          "checkpoint '{}' does not fit: {}; nothing was changed; build the same objects "
          "as were saved, under the same names",
          path, objections));
    }
    values.reserve(plan->sources().size());
    for (const Plan::Source& source : plan->sources()) {
      values.push_back(reader.read(source.entry));
    }
  }
  LoadReport report = plan->report();
  // From here on nothing can fail.
  for (std::size_t i = 0; i < values.size(); ++i) {
    assign(plan->sources()[i].target, values[i]);
  }
  return report;
}

std::string to_string(const LoadReport& report) {
  const std::string rest = Plan::listed({{"missing", report.missing},
                                         {"unexpected", report.unexpected},
                                         {"mismatched", report.mismatched}});
  return fmt::format("{} loaded{}{}", report.loaded.size(), rest.empty() ? "" : "; ", rest);
}

Attributes read_attributes(const std::string& path) {
  return detail::Reader(path, detail::read_file(path)).attributes();
}

std::vector<EntryInfo> list(const std::string& path) {
  return detail::Reader(path, detail::read_file(path)).entries();
}

}  // namespace rw::io
