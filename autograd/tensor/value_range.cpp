#include <algorithm>
#include <cmath>
#include <type_traits>

#include <fmt/format.h>

#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/autograd/tensor/value_range.hpp>

namespace rw {

namespace {

/// A bound as a T: one beyond the finite numbers of that type is the last of them, or infinite.
template <class T>
T bound_as(double bound) {
  constexpr double most = std::numeric_limits<T>::max();
  return std::isinf(bound) ? static_cast<T>(bound) : static_cast<T>(std::clamp(bound, -most, most));
}

/// Whether all are in the range. Without branches, since a checkpoint's tensors are large; false is
/// no more than a reason to look again.
template <class T>
bool all_within(const Tensor& values, const ValueRange& range) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    return false;
  } else {
    const T least = bound_as<T>(range.least);
    const T greatest = bound_as<T>(range.greatest);
    unsigned outside = 0;
    for (std::int64_t r = 0; r < values.rows(); ++r) {
      const T* const row = values.data<T>() + r * values.row_stride();
      for (std::int64_t i = 0; i < values.columns(); ++i) {
        outside |= static_cast<unsigned>(!(row[i] >= least)) |
                   static_cast<unsigned>(!(row[i] <= greatest));
      }
    }
    return outside == 0;
  }
}

}  // namespace

std::string to_string(const ValueRange& range) {
  const bool finite = range.least >= -ValueRange::largest && range.greatest <= ValueRange::largest;
  if (range.least == range.greatest) {
    return fmt::format("{}", range.least);
  }
  if (range.least == -ValueRange::infinity && range.greatest == ValueRange::infinity) {
    return range.nan ? "any number" : "no NaN";
  }
  if (range.greatest >= ValueRange::largest) {
    return range.least <= -ValueRange::largest
               ? "a finite number"
               : fmt::format("at least {}{}", range.least, finite ? " and finite" : "");
  }
  return fmt::format("{} to {}", range.least, range.greatest);
}

std::string fault_of(const Tensor& values, const ValueRange& range) {
  if (range == any_values) {
    return {};
  }
  std::string fault;
  dispatch(values.dtype(), [&](auto type) {
    using T = decltype(type);
    if (all_within<T>(values, range)) {
      return;
    }
    const std::int64_t columns = values.elements() == 0 ? 1 : values.columns();
    for (std::int64_t i = 0; i < values.elements() && fault.empty(); ++i) {
      const T value = values.data<T>()[i / columns * values.row_stride() + i % columns];
      if (!range.contains(static_cast<double>(value))) {
        fault = values.elements() == 1 ? fmt::format("is {}, expected {}", value, to_string(range))
                                       : fmt::format("holds {} at element {}, expected {}", value,
                                                     i, to_string(range));
      }
    }
  });
  return fault;
}

}  // namespace rw
