#pragma once

#include <string>

#include <rewind/autograd/tensor/state.hpp>

namespace rw::testing {

/// The tensors of an object's state below `name`, without their ranges and options, so that loading
/// accepts any values.
inline StateList bare_state(const std::string& name, const StateList& state) {
  StateList bare;
  for (const StateEntry& entry : state) {
    bare.push_back({name + "/" + entry.path, entry.tensor});
  }
  return bare;
}

}  // namespace rw::testing
