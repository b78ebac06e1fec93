#pragma once

#include <vector>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw::testing {

/// The same values as columns 2 to n + 2 of a tensor with n + 5 columns, so that rows are not
/// adjacent. The other columns hold `elsewhere`. A tensor of rank 0 has no columns and is returned
/// unchanged.
inline Tensor as_columns(const Tensor& x, double elsewhere = 77) {
  if (x.rank() == 0) {
    return x;
  }
  const auto n = x.columns();
  Tensor wide = full(x.shape().with(-1, n + 5), elsewhere, x.dtype());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    const std::vector<T> values = x.to_vector<T>();
    T* const data = wide.mutable_data<T>();
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      data[i / n * (n + 5) + 2 + i % n] = values[static_cast<std::size_t>(i)];
    }
  });
  return slice(wide, -1, 2, 2 + n);
}

}  // namespace rw::testing
