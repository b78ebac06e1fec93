#include <rewind/autograd/tape/layer_options.hpp>

namespace rw {

void detail::OptionCollector::parameter(const std::string& path, Parameter& parameter) {
  if (!parameter.defined()) {
    return;
  }
  const ParameterHandle handle(&parameter);
  if (const NamedParameter* const before = find_parameter(met_, handle)) {
    add_option(list, joined(path, "tied"), before->path);
    return;
  }
  met_.push_back({path, handle});
  if (!parameter.trainable()) {
    add_option(list, joined(path, "frozen"), true);
  }
}

OptionList options_of(const ParameterList& list) {
  detail::OptionCollector collector;
  for (const NamedParameter& entry : list) {
    collector.parameter(entry.path, *entry.parameter);
  }
  return std::move(collector.list);
}

}  // namespace rw
