#include <fmt/format.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/nested_numbers.hpp>

namespace rw {
namespace {

std::string text_of(const std::vector<std::int64_t>& sizes) {
  return sizes.empty() ? "a number" : fmt::format("[{}]", fmt::join(sizes, ", "));
}

}  // namespace

std::vector<std::int64_t> NestedNumbers::sizes() const {
  if (is_number_) {
    return {};
  }
  std::vector<std::int64_t> sizes{static_cast<std::int64_t>(parts_.size())};
  std::vector<std::int64_t> first;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::vector<std::int64_t> part = parts_[i].sizes();
    if (i == 0) {
      first = part;
    } else if (part != first) {
      throw ShapeError(fmt::format("of: part {} in braces is {}, expected {} like part 0", i,
                                   text_of(part), text_of(first)));
    }
  }
  sizes.insert(sizes.end(), first.begin(), first.end());
  return sizes;
}

}  // namespace rw
