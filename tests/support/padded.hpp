#pragma once
// The padding of sequences [T, B, ...], for tests.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/sequence.hpp>

#include "numbers.hpp"

namespace rw::testing {

/// x with `value` in the padding.
template <class Value>
Tensor spoiled(const Tensor& x, const std::vector<Size>& lengths, Value value,
               Padding padding = Padding::after) {
  Tensor result = x.clone();
  const Size steps = x.size(0);
  const Size batch = x.size(1);
  const Size width = batch == 0 || steps == 0 ? 0 : x.elements() / (steps * batch);
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    T* const data = result.mutable_data<T>();
    for (Size t = 0; t < steps; ++t) {
      for (Size b = 0; b < batch; ++b) {
        const Size length = lengths[static_cast<std::size_t>(b)];
        if (padding == Padding::after ? t >= length : t < steps - length) {
          std::fill_n(data + (t * batch + b) * width, width, static_cast<T>(value));
        }
      }
    }
  });
  return result;
}

/// Sequence b alone, as a constant: [length, 1, ...].
inline Tensor alone(const Tensor& x, Size b, Size length, Padding padding = Padding::after) {
  const Size first = padding == Padding::after ? 0 : x.size(0) - length;
  return slice(slice(x.detach(), 0, first, first + length), 1, b, b + 1);
}

}  // namespace rw::testing
