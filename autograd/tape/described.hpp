#pragma once

#include <cstdint>
#include <string>

#include <rewind/autograd/tensor/tensor.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// A tensor in a message: "[8, 32]", or "parameter 'lstm/cell/w_h' [8, 32]" if it has a name.
/// Formatted only on failure.
struct Described {
  const Tensor& tensor;
};

/// "[1, 2]": the index of the element at `position` in row-major order.
std::string place_name(const Shape& shape, std::int64_t position);

}  // namespace rw::detail

template <>
struct fmt::formatter<rw::detail::Described> {
  static constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static auto format(const rw::detail::Described& x, fmt::format_context& context)
      -> fmt::format_context::iterator;
};

#pragma GCC visibility pop
