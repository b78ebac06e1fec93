#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <set>

#include <cxxabi.h>
#include <fmt/format.h>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/checkpoint_writer.hpp>
#include <rewind/io/detail/load_plan.hpp>
#include <rewind/io/detail/with_memory.hpp>

namespace rw::io {
namespace {

using detail::with_memory;

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
  check<UsageError>(attributes.size() <= detail::max_attributes,
                    "checkpoint: {} attributes are too many, expected at most {}",
                    attributes.size(), detail::max_attributes);
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

/// The name of the object's type in C++, such as "rw::Adam"; empty where it is not known.
std::string kind_of(const detail::SavedObject& object) {
  if (object.type == nullptr) {
    return {};
  }
  constexpr std::size_t most = 1000;  // templates of templates have endless names
  int failed = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(object.type->name(), nullptr, nullptr, &failed), std::free);
  return std::string(failed == 0 ? name.get() : object.type->name()).substr(0, most);
}

std::vector<detail::ObjectRecord> to_records(const std::vector<detail::SavedObject>& objects) {
  std::vector<detail::ObjectRecord> records;
  std::set<std::string> paths;
  for (const detail::SavedObject& object : objects) {
    if (object.path.empty()) {
      continue;  // the entries of a list, each below its own name
    }
    groups_above(object.path);  // for its check
    check<UsageError>(paths.insert(object.path).second,
                      "checkpoint: two objects are called '{}'; give each a name of its own",
                      object.path);
    records.push_back({object.path, kind_of(object), {}});
  }
  return records;
}

}  // namespace

void detail::save(const std::string& path, const StateList& state, const Attributes& attributes,
                  const std::vector<SavedObject>& objects) {
  check_state(state);
  check_attributes(attributes);
  try {
    write_checkpoint(path, state, attributes, to_records(objects), writer_name());
  } catch (const std::bad_alloc&) {
    throw CheckpointWriteError(fmt::format(
        "checkpoint '{}' was not saved: not enough memory; a file that was there before is as it "
        "was",
        path));
  }
}

void save(const std::string& path, const StateList& state, const Attributes& attributes) {
  detail::save(path, state, attributes, {});
}

LoadReport load(const std::string& path, const StateList& state, const LoadOptions& options) {
  check_state(state);
  std::uint64_t needed = 0;
  std::vector<Tensor> values;
  std::optional<detail::LoadPlan> plan;
  with_memory(path, needed, [&] {
    const detail::CheckpointReader reader(path);
    plan.emplace(state, reader.index().tensors, options);
    const std::string objections = plan->objections();
    if (!objections.empty()) {
      throw StateMismatch(fmt::format(
          "checkpoint '{}' does not fit: {}; nothing was changed; build the same objects "
          "as were saved, under the same names",
          path, objections));
    }
    for (const detail::LoadPlan::Source& source : plan->sources()) {
      needed +=
          static_cast<std::uint64_t>(source.target.elements()) * size_of(source.target.dtype());
    }
    reader.verify_rest();
    values.reserve(plan->sources().size());
    for (const detail::LoadPlan::Source& source : plan->sources()) {
      values.push_back(reader.read(source.path));
    }
  });
  LoadReport report = plan->report();
  // From here on nothing can fail.
  for (std::size_t i = 0; i < values.size(); ++i) {
    assign(plan->sources()[i].target, values[i]);
  }
  return report;
}

std::string to_string(const LoadReport& report) {
  const std::string rest = detail::listed({{"missing", report.missing},
                                           {"unexpected", report.unexpected},
                                           {"mismatched", report.mismatched}});
  return fmt::format("{} loaded{}{}", report.loaded.size(), rest.empty() ? "" : "; ", rest);
}

Attributes read_attributes(const std::string& path) {
  return with_memory(path, 0, [&] { return detail::CheckpointReader(path).index().metadata; });
}

std::vector<EntryInfo> list(const std::string& path) {
  return with_memory(path, 0, [&] {
    std::vector<EntryInfo> entries;
    const detail::CheckpointReader reader(path);
    for (const detail::TensorRecord& tensor : reader.index().tensors) {
      entries.push_back({tensor.path, tensor.shape, tensor.dtype});
    }
    return entries;
  });
}

}  // namespace rw::io
