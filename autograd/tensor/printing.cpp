#include <algorithm>
#include <cmath>
#include <ostream>

#include <fmt/format.h>

#include <rewind/autograd/tensor/tensor.hpp>

// Tensors as text.

namespace rw {
namespace {

constexpr std::int64_t few_digits = 10'000'000;  // whole numbers below this print all digits

template <class T>
std::string text_of(T value) {
  if constexpr (std::is_integral_v<T>) {
    return fmt::format("{}", value);
  } else if (std::isnan(value)) {
    return "nan";  // without its sign
  } else if (std::abs(value) < static_cast<T>(few_digits) && std::trunc(value) == value) {
    return fmt::format("{:.0f}", value);
  } else {
    return fmt::format("{:.5g}", value);
  }
}

/// Writes the elements of one tensor in nested brackets, in columns of equal width.
template <class T>
class Writer {
 public:
  explicit Writer(const Tensor& x)
      : data_(x.data<T>()), stride_(x.row_stride()), shape_(x.shape()) {
    measure(0, 0);
  }

  void write(std::string& out) const { write(out, 0, 0); }

 private:
  int rank() const { return shape_.rank(); }

  std::string element(std::int64_t row, std::int64_t column) const {
    return text_of(data_[row * stride_ + column]);
  }

  /// Calls `visit(i)` for each shown index of an axis; the middle of a long axis is skipped.
  template <class Visit>
  void for_shown(int axis, const Visit& visit) const {
    const std::int64_t ends = axis + 2 < rank() ? 2 : 4;
    const std::int64_t size = shape_[axis];
    for (std::int64_t i = 0; i < size; ++i) {
      visit(i);
      if (i + 1 == ends && size > 2 * ends) {
        i = size - ends - 1;
      }
    }
  }

  void measure(int axis, std::int64_t row) {
    for_shown(axis, [&](std::int64_t i) {
      if (axis + 1 == rank()) {
        width_ = std::max(width_, element(row, i).size());
      } else {
        measure(axis + 1, row * shape_[axis] + i);
      }
    });
  }

  void write(std::string& out, int axis, std::int64_t row) const {
    const bool last = axis + 1 == rank();
    // One row per line, with an empty line between matrices.
    std::string separator(",");
    separator.append(last ? 0 : static_cast<std::size_t>(rank() - 1 - axis), '\n');
    separator.append(last ? 1 : static_cast<std::size_t>(axis + 1), ' ');
    std::int64_t next = 0;
    out += '[';
    for_shown(axis, [&](std::int64_t i) {
      if (i > next) {
        out.append(separator).append("...");
      }
      if (i > 0) {
        out += separator;
      }
      next = i + 1;
      if (last) {
        fmt::format_to(std::back_inserter(out), "{:>{}}", element(row, i), width_);
      } else {
        write(out, axis + 1, row * shape_[axis] + i);
      }
    });
    out += ']';
  }

  const T* data_;
  std::int64_t stride_;
  const Shape& shape_;
  std::size_t width_ = 0;
};

}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) {
    return "undefined tensor";
  }
  std::string out = fmt::format("{} {}{}", name_of(x.dtype()), x.shape(),
                                x.rank() > 1 && x.elements() > 0 ? '\n' : ' ');
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    if (x.elements() == 0) {
      out += "[]";
    } else if (x.rank() == 0) {
      out += text_of(*x.data<T>());
    } else {
      Writer<T>(x).write(out);
    }
  });
  return out;
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace rw

auto fmt::formatter<rw::Tensor>::format(const rw::Tensor& x, fmt::format_context& context)
    -> fmt::format_context::iterator {
  return fmt::format_to(context.out(), "{}", rw::to_string(x));
}
