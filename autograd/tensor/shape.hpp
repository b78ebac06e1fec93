#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include <fmt/core.h>

namespace rw {

/// Sizes of a tensor's axes: at most five, kept inline so that a shape never touches the heap.
class Shape {
 public:
  static constexpr int max_rank = 5;

  constexpr Shape() = default;
  /// Throws ShapeError for more than five axes, a negative size, or a product beyond 2^60.
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  /// Size of `axis`; negative axes count from the end. Throws ShapeError when out of range.
  std::int64_t operator[](int axis) const { return sizes_[normalized(axis)]; }
  /// Product of all sizes; 1 for rank 0.
  std::int64_t elements() const { return elements_; }
  /// Size of the last axis; 1 for rank 0.
  std::int64_t columns() const {
    return rank_ == 0 ? 1 : sizes_[static_cast<std::size_t>(rank_ - 1)];
  }
  /// Product of all axes but the last; 1 for rank 0.
  std::int64_t rows() const { return product(0, rank_ - 1); }
  /// Product of the axes in [begin, end).
  std::int64_t product(int begin, int end) const {
    std::int64_t result = 1;
    for (int i = begin; i < end; ++i) {
      result *= sizes_[static_cast<std::size_t>(i)];
    }
    return result;
  }

  std::span<const std::int64_t> sizes() const {
    return {sizes_.data(), static_cast<std::size_t>(rank_)};
  }
  const std::int64_t* begin() const { return sizes_.data(); }
  const std::int64_t* end() const { return sizes_.data() + rank_; }

  /// `axis` counted from the front; throws ShapeError when it is not in [-rank, rank).
  std::size_t normalized(int axis) const {
    const int front = axis < 0 ? axis + rank_ : axis;
    if (front < 0 || front >= rank_) [[unlikely]] {
      fail_axis(axis);
    }
    return static_cast<std::size_t>(front);
  }

  /// The same shape with `axis` set to `size`.
  Shape with(int axis, std::int64_t size) const;
  /// The same shape without `axis`.
  Shape without(int axis) const;
  /// The same shape with a new axis of `size` in front of `axis` (0 <= axis <= rank).
  Shape inserted(int axis, std::int64_t size) const;

  friend bool operator==(const Shape& a, const Shape& b) {
    // Sizes beyond the rank are 0, so all sizes can be compared without a branch.
    std::int64_t difference = a.rank_ ^ b.rank_;
    for (std::size_t i = 0; i < max_rank; ++i) {
      difference |= a.sizes_[i] ^ b.sizes_[i];
    }
    return difference == 0;
  }

 private:
  void assign(std::span<const std::int64_t> sizes);
  [[noreturn]] void fail_axis(int axis) const;

  std::array<std::int64_t, max_rank> sizes_{};
  std::int64_t elements_ = 1;
  int rank_ = 0;
};

/// "[20, 32, 7]"; "[]" for rank 0.
std::string to_string(const Shape& shape);

/// The shape that `a` and `b` broadcast to, as NumPy does: axes are aligned at the end, and axes of
/// size 1 are repeated. `who` names the operation in the ShapeError.
Shape broadcast(const char* who, const Shape& a, const Shape& b);

namespace detail {
/// The shape that `a` and `b` broadcast to, or nothing if they do not.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);
/// Throws the ShapeError for an axis that `shape` does not have.
[[noreturn]] void fail_axis(const char* who, const Shape& shape, int axis);
/// Throws the ShapeError for shapes that do not broadcast; the message calls them `a_name` and
/// `b_name`.
[[noreturn]] void fail_broadcast(const char* who, const Shape& a, const std::string& a_name,
                                 const Shape& b, const std::string& b_name);
}  // namespace detail

}  // namespace rw

// Takes no format specification, so that code that formats messages does not need fmt's parser.
template <>
struct fmt::formatter<rw::Shape> {
  static constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static auto format(const rw::Shape& shape, fmt::format_context& context)
      -> fmt::format_context::iterator;
};
