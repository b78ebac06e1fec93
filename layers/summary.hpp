#pragma once

#include <string>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

/// A table of the parameters: path, shape, type, number of values; and the total.
std::string summary(const ParameterList& list);
template <HasParameters L>
std::string summary(const L& layer) {
  return summary(detail::read_only_parameters(layer));
}

}  // namespace rw
