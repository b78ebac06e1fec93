#pragma once
// Tensors as bytes, to be compared to the last bit.

#include <string>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw::testing {

/// All bytes of a tensor's values.
inline std::string bytes_of(const Tensor& x) {
  const Tensor dense = x.clone();
  std::string bytes;
  dispatch(dense.dtype(), [&](auto type) {
    bytes.assign(reinterpret_cast<const char*>(dense.data<decltype(type)>()),
                 static_cast<std::size_t>(dense.elements()) * size_of(dense.dtype()));
  });
  return bytes;
}

/// All paths of a state, each with the bytes of its tensor.
inline std::string bytes_of(const StateList& state) {
  std::string bytes;
  for (const StateEntry& entry : state) {
    bytes += entry.path + bytes_of(entry.tensor);
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
