#include <algorithm>
#include <string_view>

#include <rewind/io/detail/option_comparison.hpp>
#include <rewind/io/detail/renaming.hpp>

namespace rw::io::detail {
namespace {

bool is_below(std::string_view path, std::string_view name) {
  return path.size() > name.size() && path.starts_with(name) && path[name.size()] == '/';
}

/// Paths of tensors, to look up what lies below a layer.
class Paths {
 public:
  explicit Paths(std::vector<std::string> paths) : paths_(std::move(paths)) {
    std::ranges::sort(paths_);
  }
  bool has(std::string_view path) const { return std::ranges::binary_search(paths_, path); }
  bool has_below(std::string_view layer) const {
    const std::string first = std::string(layer) + '/';
    const auto found = std::ranges::lower_bound(paths_, first);
    return found != paths_.end() && is_below(*found, layer);
  }

 private:
  std::vector<std::string> paths_;
};

/// Whether an option belongs to a layer or parameter that is left out: some of its tensors are not
/// loaded, and none are.
class LeftOut {
 public:
  LeftOut(const LoadReport& report, const std::vector<Rename>& renames)
      : loaded_(report.loaded), left_out_(all_left_out(report, renames)) {}

  bool operator()(const OptionEntry& option) const {
    const std::string_view path = option.path;
    const std::string_view layer = path.substr(0, std::min(path.rfind('/'), path.size()));
    return (left_out_.has(layer) || left_out_.has_below(layer)) && !loaded_.has(layer) &&
           !loaded_.has_below(layer);
  }

 private:
  static std::vector<std::string> all_left_out(const LoadReport& report,
                                               const std::vector<Rename>& renames) {
    std::vector<std::string> paths = report.missing;
    paths.insert(paths.end(), report.mismatched.begin(), report.mismatched.end());
    for (const std::string& path : report.unexpected) {
      paths.push_back(renamed(renames, path));
    }
    return paths;
  }

  Paths loaded_;
  Paths left_out_;
};

OptionList saved_options(const Index& index, const std::vector<Rename>& renames) {
  OptionList list;
  for (const ObjectRecord& object : index.objects) {
    for (const auto& [path, value] : object.options) {
      list.push_back({renamed(renames, rw::detail::joined(object.path, path)), value});
    }
  }
  return list;
}

}  // namespace

std::vector<OptionDifference> compare_options(const std::vector<ObjectToLoad>& objects,
                                              const Index& index, const LoadReport& report,
                                              const LoadOptions& options) {
  const OptionList all_saved = saved_options(index, options.rename);
  const LeftOut is_left_out(report, options.rename);
  OptionList saved;
  OptionList now;
  const auto append = [&](OptionList& list, const OptionList& part, const std::string& name) {
    for (const OptionEntry& option : part) {
      if (is_below(option.path, name) && !is_left_out(option)) {
        list.push_back(option);
      }
    }
  };
  for (const ObjectToLoad& object : objects) {
    if (object.type == nullptr) {
      continue;  // a list of tensors
    }
    const std::size_t before = saved.size();
    append(saved, all_saved, object.name);
    if (saved.size() > before) {
      append(now, object.options, object.name);
    }
  }
  return saved.empty() ? std::vector<OptionDifference>()
                       : differing_options(saved, now, options.allow_different);
}

}  // namespace rw::io::detail
