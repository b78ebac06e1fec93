#include <algorithm>

#include <rewind/autograd/tape/layer_options.hpp>

namespace rw {

void detail::OptionWalk::note(const std::string& path, Parameter& parameter) {
  if (!parameter.defined()) {
    return;
  }
  const ParameterHandle handle(&parameter);
  const auto before = std::find_if(met_.begin(), met_.end(), [&](const NamedParameter& entry) {
    return entry.parameter == handle;
  });
  if (before != met_.end()) {
    add_option(list, joined(path, "tied"), before->path);
    return;
  }
  met_.push_back({path, handle});
  if (!parameter.trainable()) {
    add_option(list, joined(path, "frozen"), true);
  }
}

OptionList options_of(const ParameterList& list) {
  detail::OptionWalk walk;
  for (const NamedParameter& entry : list) {
    walk.note(entry.path, *entry.parameter);
  }
  return std::move(walk.list);
}

}  // namespace rw
