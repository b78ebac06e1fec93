#pragma once

#include <rewind/autograd/tensor/dtype.hpp>
#include <rewind/autograd/tensor/error.hpp>

namespace rw::detail {

/// Whether int64 can hold `value` without what follows its decimal point; no NaN can be held.
constexpr bool fits_int64(double value) { return value >= -0x1p63 && value < 0x1p63; }

/// Throws UsageError, naming the function `who`, for a value that cannot become an element of
/// `dtype`.
inline void check_element(const char* who, double value, DType dtype) {
  check<UsageError>(is_floating(dtype) || fits_int64(value),
                    "{}: the value {} is no int64 number, but the tensor is int64", who, value);
}

}  // namespace rw::detail
