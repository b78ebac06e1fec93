#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <rewind/autograd/tensor/memory.hpp>
#include <rewind/io/error.hpp>
#include <rewind/io/inspect/description.hpp>

namespace rw::inspect {
namespace {

std::string list_of_groups(const io::CheckpointInfo& info) {
  std::set<std::string> groups;
  for (const io::EntryInfo& entry : info.tensors) {
    groups.insert(entry.path.substr(0, entry.path.find('/')));
  }
  return groups.empty() ? "nothing" : fmt::format("{}", fmt::join(groups, ", "));
}

/// The innermost object that `path` belongs to.
std::string object_of(std::string path, const std::set<std::string>& objects) {
  while (!path.empty() && !objects.contains(path)) {
    const std::size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
  return path;
}

Json value_to_json(const std::optional<Number>& number) {
  if (!number) {
    return nullptr;
  }
  if (const auto* const whole = std::get_if<std::int64_t>(&*number)) {
    return *whole;
  }
  return number_to_json(std::get<double>(*number));
}

Json to_json(const TensorDescription& tensor) {
  const io::EntryInfo& entry = tensor.entry;
  Json json = {{"path", entry.path},
               {"object", tensor.object.empty() ? Json(nullptr) : Json(tensor.object)},
               {"type", name_of(entry.dtype)},
               {"shape", std::vector<std::int64_t>(entry.shape.begin(), entry.shape.end())},
               {"damaged", !tensor.statistics}};
  if (tensor.statistics) {
    const Statistics& statistics = *tensor.statistics;
    json["minimum"] = value_to_json(statistics.minimum);
    json["maximum"] = value_to_json(statistics.maximum);
    json["mean"] = number_to_json(statistics.mean);
    json["norm"] = number_to_json(statistics.norm);
    json["nan"] = statistics.nans;
    json["infinite"] = statistics.infinities;
  }
  return json;
}

}  // namespace

bool is_below(std::string_view path, std::string_view group) {
  return group.empty() || path == group ||
         (path.starts_with(group) && path.substr(group.size()).starts_with('/'));
}

Json number_to_json(const std::optional<double>& number) {
  return number && std::isfinite(*number) ? Json(*number) : Json(nullptr);
}

void Total::add(const TensorDescription& tensor) {
  const auto elements = static_cast<std::uint64_t>(tensor.entry.shape.elements());
  ++tensors;
  values += elements;
  bytes += elements * size_of(tensor.entry.dtype);
  if (tensor.statistics) {
    nans += static_cast<std::uint64_t>(tensor.statistics->nans);
    infinities += static_cast<std::uint64_t>(tensor.statistics->infinities);
  } else {
    ++damaged;
  }
}

Total total_of(const std::vector<TensorDescription>& tensors) {
  Total total;
  for (const TensorDescription& tensor : tensors) {
    total.add(tensor);
  }
  return total;
}

Description describe(const std::string& path, const std::string& below) {
  const io::CheckpointFile file(path);
  Description description{path, below, file.info(), {}};
  std::set<std::string> objects;
  for (const io::ObjectInfo& object : file.info().objects) {
    objects.insert(object.path);
  }
  std::set<std::string> owners;
  for (const io::EntryInfo& entry : file.info().tensors) {
    if (!is_below(entry.path, below)) {
      continue;
    }
    TensorDescription& tensor = description.tensors.emplace_back(
        TensorDescription{entry, object_of(entry.path, objects), {}});
    owners.insert(tensor.object);
    try {
      tensor.statistics = statistics_of(file.read(entry.path));
    } catch (const io::CheckpointCorrupt&) {
      // The tensor stays in the list, without statistics.
    }
    trim_memory();  // or the pool would keep it for tensors of the same size
  }
  check<UsageError>(below.empty() || !description.tensors.empty(),
                    "--below: '{}' has nothing below '{}'; at the top are {}", path, below,
                    list_of_groups(file.info()));
  std::erase_if(description.info.objects, [&](const io::ObjectInfo& object) {
    return !is_below(object.path, below) && !owners.contains(object.path);
  });
  return description;
}

Json to_json(const Description& description) {
  const io::CheckpointInfo& info = description.info;
  Json objects = Json::array();
  for (const io::ObjectInfo& object : info.objects) {
    objects.push_back({{"path", object.path}, {"kind", object.kind}, {"options", object.options}});
  }
  Json tensors = Json::array();
  for (const TensorDescription& tensor : description.tensors) {
    tensors.push_back(to_json(tensor));
  }
  const Total total = total_of(description.tensors);
  return {{"file", description.file},
          {"bytes", info.file_bytes},
          {"format_version", info.is_foreign() ? Json(nullptr) : Json(info.format_version)},
          {"writer", info.is_foreign() ? Json(nullptr) : Json(info.writer)},
          {"metadata", info.metadata},
          {"objects", std::move(objects)},
          {"tensors", std::move(tensors)},
          {"total",
           {{"tensors", total.tensors},
            {"values", total.values},
            {"bytes", total.bytes},
            {"nan", total.nans},
            {"infinite", total.infinities},
            {"damaged", total.damaged}}}};
}

}  // namespace rw::inspect
