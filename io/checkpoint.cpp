#include <algorithm>
#include <cstring>
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

/// All differences between a file and the state it is to restore.
class Differences {
 public:
  Differences(const StateList& state, const std::vector<EntryInfo>& entries,
              const LoadOptions& options) {
    std::unordered_map<std::string_view, const EntryInfo*> remaining;
    for (const EntryInfo& entry : entries) {
      remaining.emplace(entry.path, &entry);
    }
    for (const auto& [path, tensor] : state) {
      const auto found = remaining.find(path);
      if (found == remaining.end()) {
        missing_.push_back(path);
        continue;
      }
      compare(*found->second, tensor);
      remaining.erase(found);
    }
    for (const EntryInfo& entry : entries) {
      if (!options.allow_unexpected && remaining.contains(entry.path)) {
        unexpected_.push_back(entry.path);
      }
    }
  }

  bool any() const {
    return !(missing_.empty() && unexpected_.empty() && misshapen_.empty() && mistyped_.empty());
  }

  std::string text() const {
    std::vector<std::string> kinds;
    for (const auto& [kind, list] : {std::pair{"missing", &missing_},
                                     {"unexpected", &unexpected_},
                                     {"wrong shape", &misshapen_},
                                     {"wrong type", &mistyped_}}) {
      if (!list->empty()) {
        kinds.push_back(fmt::format("{}: {}", kind, fmt::join(*list, ", ")));
      }
    }
    return fmt::format("{}", fmt::join(kinds, "; "));
  }

 private:
  void compare(const EntryInfo& entry, const Tensor& tensor) {
    if (entry.shape != tensor.shape()) {
      misshapen_.push_back(
          fmt::format("{} is {}, expected {}", entry.path, entry.shape, tensor.shape()));
    }
    if (entry.dtype != tensor.dtype()) {
      mistyped_.push_back(fmt::format("{} is {}, expected {}", entry.path, name_of(entry.dtype),
                                      name_of(tensor.dtype())));
    }
  }

  std::vector<std::string> missing_;
  std::vector<std::string> unexpected_;
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
  detail::end_loan(target);
}

}  // namespace

void save(const std::string& path, const StateList& state, const Attributes& attributes) {
  check_state(state);
  check_attributes(attributes);
  detail::replace_file(path, detail::encode(path, state, attributes).bytes());
}

void load(const std::string& path, const StateList& state, const LoadOptions& options) {
  check_state(state);
  std::vector<Tensor> values;
  values.reserve(state.size());
  {
    detail::Reader reader(path, detail::read_file(path));
    const Differences differences(state, reader.entries(), options);
    if (differences.any()) {
      throw StateMismatch(fmt::format(
          "checkpoint '{}' does not fit: {}; nothing was changed; build the same objects "
          "as were saved, under the same names",
          path, differences.text()));
    }
    for (const auto& [entry_path, tensor] : state) {
      values.push_back(reader.read({entry_path, tensor.shape(), tensor.dtype()}));
    }
  }
  // From here on nothing can fail.
  for (std::size_t i = 0; i < state.size(); ++i) {
    assign(state[i].tensor, values[i]);
  }
}

Attributes read_attributes(const std::string& path) {
  return detail::Reader(path, detail::read_file(path)).attributes();
}

std::vector<EntryInfo> list(const std::string& path) {
  return detail::Reader(path, detail::read_file(path)).entries();
}

}  // namespace rw::io
