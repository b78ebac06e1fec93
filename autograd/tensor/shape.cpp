#include <algorithm>

#include <fmt/format.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/shape.hpp>

namespace rw {

namespace {
// A byte count (8 bytes per element) fits into 64 bits.
constexpr std::int64_t max_elements = std::int64_t{1} << 60;

/// Size of `axis`, counted from the end; 1 if it does not exist.
std::int64_t aligned_size(const Shape& shape, int axis) {
  return axis < -shape.rank() ? 1 : shape[axis];
}
}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> sizes) { assign({sizes.begin(), sizes.size()}); }

Shape::Shape(std::span<const std::int64_t> sizes) { assign(sizes); }

void Shape::assign(std::span<const std::int64_t> sizes) {
  check_shape(sizes.size() <= max_rank, "shape: got {} axes, expected at most {}", sizes.size(),
              static_cast<int>(max_rank));
  rank_ = static_cast<int>(sizes.size());
  bool has_zero = false;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    check_shape(sizes[i] >= 0, "shape: axis {} has size {}, expected 0 or more", i, sizes[i]);
    sizes_[i] = sizes[i];
    has_zero = has_zero || sizes[i] == 0;
  }
  // Sizes next to a zero are bounded as well, so that no product of some of the axes overflows.
  std::int64_t product = 1;
  for (const std::int64_t& size : sizes) {
    const bool overflows =
        __builtin_mul_overflow(product, std::max<std::int64_t>(size, 1), &product);
    check_shape(!overflows && product <= max_elements,
                "shape: {} axes ending at axis {} hold more than 2^60 elements", rank_,
                &size - sizes.data());
  }
  elements_ = has_zero ? 0 : product;
}

Shape Shape::with(int axis, std::int64_t size) const {
  Shape result = *this;
  std::int64_t& changed = result.sizes_[normalized(axis)];
  const bool is_smaller = 0 <= size && size <= changed;
  changed = size;
  if (is_smaller) {
    result.elements_ = result.product(0, rank_);
  } else {
    result.assign({result.sizes_.data(), static_cast<std::size_t>(rank_)});
  }
  return result;
}

Shape Shape::without(int axis) const {
  Shape result;
  const std::size_t skipped = normalized(axis);
  for (std::size_t i = 0; i < static_cast<std::size_t>(rank_); ++i) {
    if (i != skipped) {
      result.sizes_[static_cast<std::size_t>(result.rank_++)] = sizes_[i];
    }
  }
  result.elements_ = result.product(0, result.rank_);
  return result;
}

Shape Shape::inserted(int axis, std::int64_t size) const {
  check_shape(axis >= 0 && axis <= rank_, "shape: cannot insert an axis at {} in {}", axis, *this);
  check_shape(rank_ < max_rank, "shape: cannot insert an axis in {}: at most {} axes", *this,
              static_cast<int>(max_rank));
  std::array<std::int64_t, max_rank> sizes{};
  const auto position = static_cast<std::size_t>(axis);
  for (std::size_t i = 0; i <= static_cast<std::size_t>(rank_); ++i) {
    sizes[i] = i < position ? sizes_[i] : i == position ? size : sizes_[i - 1];
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank_) + 1));
}

void Shape::fail_axis(int axis) const { detail::fail_axis("shape", *this, axis); }

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

void detail::fail_axis(const char* who, const Shape& shape, int axis) {
  throw ShapeError(fmt::format(
      "{}: axis {} does not exist in shape {}, {}", who, axis, to_string(shape),
      shape.rank() == 0 ? "a single number"
                        : fmt::format("expected {} to {}", -shape.rank(), shape.rank() - 1)));
}

std::optional<Shape> detail::broadcast(const Shape& a, const Shape& b) {
  if (a == b) {
    return a;
  }
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::max_rank> sizes{};
  for (int axis = -rank; axis < 0; ++axis) {
    const std::int64_t size_a = aligned_size(a, axis);
    const std::int64_t size_b = aligned_size(b, axis);
    if (size_a != size_b && size_a != 1 && size_b != 1) {
      return std::nullopt;
    }
    sizes[static_cast<std::size_t>(axis + rank)] = size_a == 1 ? size_b : size_a;
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank)));
}

void detail::fail_broadcast(const char* who, const Shape& a, const std::string& a_name,
                            const Shape& b, const std::string& b_name) {
  int axis = -1;
  const auto fits = [&] {
    const std::int64_t size_a = aligned_size(a, axis);
    const std::int64_t size_b = aligned_size(b, axis);
    return size_a == size_b || size_a == 1 || size_b == 1;
  };
  while (axis > -Shape::max_rank && fits()) {
    --axis;
  }
  throw ShapeError(fmt::format("{}: shapes {} and {} do not broadcast: axis {} has sizes {} and {}",
                               who, a_name, b_name, axis, aligned_size(a, axis),
                               aligned_size(b, axis)));
}

Shape broadcast(const char* who, const Shape& a, const Shape& b) {
  const std::optional<Shape> common = detail::broadcast(a, b);
  if (!common) [[unlikely]] {
    detail::fail_broadcast(who, a, to_string(a), b, to_string(b));
  }
  return *common;
}

}  // namespace rw

auto fmt::formatter<rw::Shape>::format(const rw::Shape& shape, fmt::format_context& context)
    -> fmt::format_context::iterator {
  return fmt::format_to(context.out(), "{}", rw::to_string(shape));
}
