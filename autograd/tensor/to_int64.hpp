#pragma once

#include <rewind/autograd/tensor/dtype.hpp>
#include <rewind/autograd/tensor/error.hpp>

namespace rw::detail {

/// Whether int64 can hold `value` after truncation; false for NaN.
constexpr bool fits_int64(double value) { return value >= -0x1p63 && value < 0x1p63; }

/// Throws UsageError, naming the function `who`, if `value` cannot become an element of `dtype`.
inline void check_element(const char* who, double value, DType dtype) {
  check<UsageError>(is_floating(dtype) || fits_int64(value),
                    "{}: the value {} cannot be converted to int64, the tensor's type", who, value);
}

}  // namespace rw::detail
