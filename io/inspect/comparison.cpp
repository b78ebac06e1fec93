#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include <rewind/autograd/tensor/memory.hpp>
#include <rewind/io/inspect/comparison.hpp>

namespace rw::inspect {
namespace {

using Texts = std::map<std::string, std::string>;

template <class T>
std::map<std::string, T> by_path(const std::vector<T>& list, const std::string& below) {
  std::map<std::string, T> map;
  for (const T& each : list) {
    if (is_below(each.path, below)) {
      map.emplace(each.path, each);
    }
  }
  return map;
}

/// Calls `body(key, a, b)` for every key of two maps, with pointers to the values, null if a map
/// lacks the key.
template <class T, class Body>
void for_each_key(const std::map<std::string, T>& a, const std::map<std::string, T>& b, Body body) {
  std::set<std::string_view> keys;
  for (const auto* const map : {&a, &b}) {
    for (const auto& entry : *map) {
      keys.insert(entry.first);
    }
  }
  const auto value = [](const auto& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
  };
  for (const std::string_view view : keys) {
    const std::string key(view);
    body(key, value(a, key), value(b, key));
  }
}

template <class T>
std::optional<T> copied(const T* value) {
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::vector<TextDifference> compare_texts(const Texts& a, const Texts& b) {
  std::vector<TextDifference> differences;
  for_each_key(a, b, [&](const std::string& name, const std::string* x, const std::string* y) {
    if (x == nullptr || y == nullptr || *x != *y) {
      differences.push_back({name, copied(x), copied(y)});
    }
  });
  return differences;
}

std::vector<ObjectDifference> compare_objects(const io::CheckpointInfo& a,
                                              const io::CheckpointInfo& b,
                                              const std::string& below) {
  std::vector<ObjectDifference> differences;
  for_each_key(by_path(a.objects, below), by_path(b.objects, below),
               [&](const std::string& path, const io::ObjectInfo* x, const io::ObjectInfo* y) {
                 ObjectDifference difference{path, {}, {}};
                 if (x == nullptr || y == nullptr || x->kind != y->kind) {
                   const auto kind = [](const io::ObjectInfo* object) {
                     return object == nullptr ? std::nullopt : std::optional(object->kind);
                   };
                   difference.kind = TextDifference{"kind", kind(x), kind(y)};
                 }
                 if (x != nullptr && y != nullptr) {
                   difference.options = compare_texts(x->options, y->options);
                 }
                 if (difference.kind || !difference.options.empty()) {
                   differences.push_back(std::move(difference));
                 }
               });
  return differences;
}

Json to_json(const TextDifference& difference) {
  const auto text = [](const std::optional<std::string>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  return {{"name", difference.name}, {"a", text(difference.a)}, {"b", text(difference.b)}};
}

Json to_json(const std::vector<TextDifference>& differences) {
  Json list = Json::array();
  for (const TextDifference& difference : differences) {
    list.push_back(to_json(difference));
  }
  return list;
}

Json to_json(const std::optional<io::EntryInfo>& entry) {
  if (!entry) {
    return nullptr;
  }
  return {{"type", name_of(entry->dtype)},
          {"shape", std::vector<std::int64_t>(entry->shape.begin(), entry->shape.end())}};
}

}  // namespace

Comparison compare(const std::string& a, const std::string& b, const std::string& below) {
  const io::CheckpointFile file_a(a);
  const io::CheckpointFile file_b(b);
  const io::CheckpointInfo& info_a = file_a.info();
  const io::CheckpointInfo& info_b = file_b.info();
  Comparison result{.a = a, .b = b, .below = below};
  result.knows_objects = !info_a.is_foreign() && !info_b.is_foreign();
  if (below.empty()) {
    result.metadata = compare_texts(info_a.metadata, info_b.metadata);
  }
  if (result.knows_objects) {
    result.objects = compare_objects(info_a, info_b, below);
  }
  for_each_key(by_path(info_a.tensors, below), by_path(info_b.tensors, below),
               [&](const std::string& path, const io::EntryInfo* x, const io::EntryInfo* y) {
                 if (x == nullptr || y == nullptr || x->shape != y->shape || x->dtype != y->dtype) {
                   result.unmatched.push_back({path, copied(x), copied(y)});
                   return;
                 }
                 ++result.tensors_in_both;
                 const Difference difference = difference_of(file_a.read(path), file_b.read(path));
                 trim_memory();  // or the pool would keep it for tensors of the same size
                 if (difference.elements > 0) {
                   result.values.push_back({*x, difference});
                 }
               });
  check<UsageError>(below.empty() || !result.unmatched.empty() || result.tensors_in_both > 0,
                    "--below: neither '{}' nor '{}' has anything below '{}'", a, b, below);
  return result;
}

Json to_json(const Comparison& comparison) {
  Json objects = Json::array();
  for (const ObjectDifference& object : comparison.objects) {
    objects.push_back({{"path", object.path},
                       {"kind", object.kind ? to_json(*object.kind) : Json(nullptr)},
                       {"options", to_json(object.options)}});
  }
  Json unmatched = Json::array();
  for (const EntryDifference& entry : comparison.unmatched) {
    unmatched.push_back({{"path", entry.path}, {"a", to_json(entry.a)}, {"b", to_json(entry.b)}});
  }
  Json values = Json::array();
  for (const auto& [entry, difference] : comparison.values) {
    const bool measured = difference.largest.has_value();
    values.push_back({{"path", entry.path},
                      {"elements", entry.shape.elements()},
                      {"different", difference.elements},
                      {"not_finite", difference.non_finite},
                      {"largest", number_to_json(difference.largest)},
                      {"at", measured ? Json(difference.at) : Json(nullptr)},
                      {"relative", number_to_json(difference.relative)}});
  }
  return {{"a", comparison.a},
          {"b", comparison.b},
          {"equal", comparison.equal()},
          {"metadata", to_json(comparison.metadata)},
          {"objects", comparison.knows_objects ? std::move(objects) : Json(nullptr)},
          {"unmatched", std::move(unmatched)},
          {"values", std::move(values)},
          {"compared", comparison.tensors_in_both}};
}

}  // namespace rw::inspect
