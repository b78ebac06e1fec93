#include <rewind/autograd/tape/substitution.hpp>

namespace rw::detail {

void check_substitute(std::string_view name, const Tensor& value, const Parameter& parameter) {
  check_shape(value.shape() == parameter.shape(),
              "with_values: got {} for '{}', expected its shape {}", value.shape(), name,
              parameter.shape());
}

}  // namespace rw::detail
