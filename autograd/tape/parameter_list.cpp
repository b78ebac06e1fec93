#include <algorithm>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

const NamedParameter* detail::find_parameter(const ParameterList& list,
                                             const ParameterHandle& parameter) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const NamedParameter& entry) {
    return entry.parameter == parameter;
  });
  return found == list.end() ? nullptr : &*found;
}

void detail::ParameterCollector::parameter(const std::string& path, Parameter& parameter) {
  // A layer without bias leaves its bias empty.
  if (!parameter.defined() || find_parameter(list, &parameter) != nullptr) {
    return;
  }
  if (parameter.name() != path) {  // several threads may list one model
    parameter.set_name(path);
  }
  list.push_back({path, &parameter});
}

std::int64_t count(const ParameterList& list) {
  std::int64_t n = 0;
  for (const NamedParameter& entry : list) {
    n += entry.parameter->trainable() ? entry.parameter->value().elements() : 0;
  }
  return n;
}

void zero_grad(const ParameterList& list) {
  for (const NamedParameter& entry : list) {
    entry.parameter->zero_grad();
  }
}

namespace {
void set_trainable(const ParameterList& list, bool trainable) {
  for (const NamedParameter& entry : list) {
    entry.parameter->set_trainable(trainable);
  }
}
}  // namespace

void freeze(const ParameterList& list) { set_trainable(list, false); }
void unfreeze(const ParameterList& list) { set_trainable(list, true); }

StateList state_of(const ParameterList& list) {
  StateList state;
  state.reserve(list.size());
  for (const NamedParameter& entry : list) {
    state.push_back({entry.path, entry.parameter->value()});
  }
  return state;
}

}  // namespace rw
