#pragma once

#include <string>
#include <vector>

namespace rw::testing {

/// The paths of a list of parameters or of state.
template <class List>
std::vector<std::string> paths_of(const List& list) {
  std::vector<std::string> paths;
  for (const auto& entry : list) {
    paths.push_back(entry.path);
  }
  return paths;
}

}  // namespace rw::testing
