#pragma once

#include <string>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

/// A table of the parameters: path, shape, type, number of values; and the total.
std::string summary(const ParameterList& list);
template <Layer L>
std::string summary(L& layer) {
  return summary(parameters(layer));
}

}  // namespace rw
