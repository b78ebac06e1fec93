#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>

#include <cxxabi.h>
#include <fmt/format.h>

#include <rewind/autograd/tensor/printable.hpp>
#include <rewind/io/detail/checkpoint_checks.hpp>

namespace rw::io::detail {
namespace {

/// The names of all groups above `path`, outermost first. Throws UsageError if a name in the path
/// is not valid.
std::vector<std::string> groups_above(const std::string& path) {
  std::vector<std::string> groups;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    check<UsageError>(
        is_valid_name(std::string_view(path).substr(begin, end - begin)),
        "checkpoint: '{}' is not a path; expected names of 1 to {} bytes separated by '/', without "
        "control characters, none of them '.' or '..'",
        path, max_name_bytes);
    if (end == path.size()) {
      break;
    }
    groups.push_back(path.substr(0, end));
    begin = end + 1;
  }
  check<UsageError>(groups.size() < static_cast<std::size_t>(max_depth),
                    "checkpoint: '{}' has {} levels, expected at most {}", path, groups.size() + 1,
                    max_depth);
  return groups;
}

}  // namespace

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
      paths.size() + groups.size() <= max_objects,
      "checkpoint: {} tensors in {} groups are too many, expected at most {} together",
      paths.size(), groups.size(), max_objects);
}

void check_attributes(const Attributes& attributes) {
  check<UsageError>(attributes.size() <= max_attributes,
                    "checkpoint: {} attributes are too many, expected at most {}",
                    attributes.size(), max_attributes);
  for (const auto& [name, value] : attributes) {
    check<UsageError>(
        !name.empty() && name.find('\0') == std::string::npos && !name.starts_with(own_prefix),
        "checkpoint: '{}' is not a name for an attribute; expected at least one byte, "
        "no NUL, and not '{}' in front",
        name, own_prefix);
    check<UsageError>(value.find('\0') == std::string::npos,
                      "checkpoint: the value of attribute '{}' holds a NUL; expected text", name);
    const std::size_t bytes = name.size() + value.size();
    check<UsageError>(
        bytes <= max_attribute_bytes,
        "checkpoint: attribute '{}' has {} bytes, expected at most {}; save long data "
        "as a tensor",
        name, bytes, max_attribute_bytes);
  }
}

namespace {

/// The object's type in C++, such as "rw::Adam"; empty if unknown.
std::string kind_of(const ObjectToSave& object) {
  if (object.type == nullptr) {
    return {};
  }
  constexpr std::size_t most = 1000;  // nested templates can have very long names
  int failed = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(object.type->name(), nullptr, nullptr, &failed), std::free);
  return std::string(failed == 0 ? name.get() : object.type->name()).substr(0, most);
}

}  // namespace

std::vector<ObjectRecord> to_records(const std::vector<ObjectToSave>& objects) {
  std::vector<ObjectRecord> records;
  std::set<std::string> paths;
  std::size_t options = 0;
  for (const ObjectToSave& object : objects) {
    const bool is_one_tensor =
        object.type == nullptr && object.state.size() == 1 && object.state.front().path.empty();
    if (object.name.empty() || is_one_tensor) {
      continue;
    }
    groups_above(object.name);  // only for its check
    check<UsageError>(paths.insert(object.name).second,
                      "checkpoint: two objects are called '{}'; give each a name of its own",
                      object.name);
    ObjectRecord record = {object.name, kind_of(object), {}};
    for (const auto& [path, value] : object.options) {
      check<UsageError>(is_valid_path(path) && value.find('\0') == std::string::npos,
                        "checkpoint: the option '{}' is '{}', which no file can hold; expected a "
                        "path of names separated by '/' and a text without NUL",
                        rw::detail::printable(path), rw::detail::printable(value));
      record.options.emplace(path.substr(object.name.size() + 1), value);
      ++options;
    }
    records.push_back(std::move(record));
  }
  check<UsageError>(options <= max_objects,
                    "checkpoint: the objects have {} options, expected at most {}", options,
                    max_objects);
  return records;
}

}  // namespace rw::io::detail
