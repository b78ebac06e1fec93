#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>

#include <rewind/io/inspect/statistics.hpp>

namespace rw::inspect {
namespace {

/// Holds sums of squares of doubles without overflow, and all digits of an int64.
using Wide = long double;
static_assert(std::numeric_limits<Wide>::max_exponent >
                  2 * std::numeric_limits<double>::max_exponent + 64 &&
              std::numeric_limits<Wide>::digits >= 63);

template <class T>
std::span<const T> values_of(const Tensor& dense) {
  return {dense.data<T>(), static_cast<std::size_t>(dense.elements())};
}

template <class T>
bool is_finite(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isfinite(value);
  } else {
    return true;
  }
}

template <class T>
bool is_nan(T value) {
  return value != value;
}

template <class T>
Number to_number(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(value);
  } else {
    return value;
  }
}

template <class T>
Statistics statistics_of(std::span<const T> values) {
  Statistics result;
  Wide sum = 0;
  Wide squares = 0;
  std::int64_t finite = 0;
  T minimum = std::numeric_limits<T>::max();
  T maximum = std::numeric_limits<T>::lowest();
  for (const T value : values) {
    if (is_finite(value)) {
      ++finite;
      minimum = std::min(minimum, value);
      maximum = std::max(maximum, value);
      sum += static_cast<Wide>(value);
      squares += static_cast<Wide>(value) * static_cast<Wide>(value);
    } else if (is_nan(value)) {
      ++result.nans;
    } else {
      ++result.infinities;
    }
  }
  if (finite > 0) {
    result.minimum = to_number(minimum);
    result.maximum = to_number(maximum);
    result.mean = static_cast<double>(sum / static_cast<Wide>(finite));
    result.norm = static_cast<double>(std::sqrt(squares));
  }
  return result;
}

/// The index of an element along each axis, in row-major order.
std::vector<std::int64_t> position(const Shape& shape, std::int64_t element) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank(); axis-- > 0;) {
    result[static_cast<std::size_t>(axis)] = element % shape[axis];
    element /= shape[axis];
  }
  return result;
}

template <class T>
Difference difference_of(const Shape& shape, std::span<const T> a, std::span<const T> b) {
  Difference result;
  std::size_t at = 0;
  Wide largest = 0;
  Wide squares_of_a = 0;
  Wide squares_of_b = 0;
  Wide squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<Wide>(a[i]);
    const auto y = static_cast<Wide>(b[i]);
    const bool differ = a[i] != b[i] && !(is_nan(a[i]) && is_nan(b[i]));
    result.elements += differ ? 1 : 0;
    if (!is_finite(a[i]) || !is_finite(b[i])) {
      result.non_finite += differ ? 1 : 0;
      continue;
    }
    squares_of_a += x * x;
    squares_of_b += y * y;
    squares += (x - y) * (x - y);
    if (std::abs(x - y) > largest) {
      largest = std::abs(x - y);
      at = i;
    }
  }
  if (largest > 0) {
    result.at = position(shape, static_cast<std::int64_t>(at));
    result.largest = static_cast<double>(largest);
    result.relative =
        static_cast<double>(std::sqrt(squares / std::max(squares_of_a, squares_of_b)));
  }
  return result;
}

}  // namespace

Statistics statistics_of(const Tensor& x) {
  return dispatch(x.dtype(),
                  [&](auto type) { return statistics_of(values_of<decltype(type)>(x)); });
}

Difference difference_of(const Tensor& a, const Tensor& b) {
  return dispatch(a.dtype(), [&](auto type) {
    using T = decltype(type);
    return difference_of(a.shape(), values_of<T>(a), values_of<T>(b));
  });
}

}  // namespace rw::inspect
