#include <array>

#include <fmt/format.h>

#include <rewind/autograd/tape/described.hpp>
#include <rewind/autograd/tape/parameter.hpp>

namespace rw::detail {

std::string place_name(const Shape& shape, std::int64_t position) {
  std::array<std::int64_t, Shape::max_rank> index{};
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = position % shape[axis];
    position /= shape[axis];
  }
  return fmt::format("[{}]", fmt::join(index.begin(), index.begin() + shape.rank(), ", "));
}

}  // namespace rw::detail

auto fmt::formatter<rw::detail::Described>::format(const rw::detail::Described& x,
                                                   fmt::format_context& context)
    -> fmt::format_context::iterator {
  const rw::detail::ParameterBody* const parameter = x.tensor.body().parameter;
  return parameter == nullptr || parameter->name.empty()
             ? fmt::format_to(context.out(), "{}", x.tensor.shape())
             : fmt::format_to(context.out(), "parameter '{}' {}", parameter->name,
                              x.tensor.shape());
}
