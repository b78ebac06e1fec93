#pragma once

#include <concepts>
#include <string>
#include <vector>

#include <rewind/autograd/tensor.hpp>

namespace rw {

/// One value that a checkpoint holds. The tensor shares its storage with the object that owns it:
/// reading it saves, writing into it restores. Paths have components separated by '/'.
struct StateEntry {
  std::string path;
  Tensor tensor;
};
using StateList = std::vector<StateEntry>;

/// Optimisers, generators of random numbers and whatever else has a state() of tensors.
template <class T>
concept HasState = requires(T& object) {
  { object.state() } -> std::convertible_to<StateList>;
};

template <HasState T>
StateList state_of(T& object) {
  return object.state();
}

}  // namespace rw
