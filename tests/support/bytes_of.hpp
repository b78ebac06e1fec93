#pragma once
// Tensors to the last bit.

#include <string>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw::testing {

/// All bytes of the tensors of a state.
inline std::string bytes_of(const StateList& state) {
  std::string bytes;
  for (const StateEntry& entry : state) {
    const Tensor dense = entry.tensor.clone();
    dispatch(dense.dtype(), [&](auto type) {
      const auto* data = dense.data<decltype(type)>();
      bytes.append(reinterpret_cast<const char*>(data),
                   static_cast<std::size_t>(dense.elements()) * size_of(dense.dtype()));
    });
  }
  return bytes;
}

inline std::string gradient_bytes(const ParameterList& list) {
  StateList gradients;
  for (const NamedParameter& entry : list) {
    gradients.push_back({entry.path, entry.parameter->grad()});
  }
  return bytes_of(gradients);
}

}  // namespace rw::testing
