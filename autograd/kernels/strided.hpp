#pragma once
// Simple loops over rows with gaps between them, which the compiler can vectorise.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#pragma GCC visibility push(hidden)

namespace rw::kernels {

/// Copies rows of a length known at compile time, with one or two moves each.
template <std::size_t Columns, class T>
void copy_short_rows(T* to, std::int64_t to_stride, const T* from, std::int64_t from_stride,
                     std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) {
    std::memmove(to + r * to_stride, from + r * from_stride, Columns * sizeof(T));
  }
}

template <class T>
void copy_rows(T* to, std::int64_t to_stride, const T* from, std::int64_t from_stride,
               std::int64_t rows, std::int64_t columns) {
  if (columns == 0) {
    return;
  }
  if (to_stride == columns && from_stride == columns) {
    columns *= rows;
    rows = rows == 0 ? 0 : 1;
  }
  const auto length = static_cast<std::size_t>(columns);
  const bool is_short = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((length == I + 1 &&
             (copy_short_rows<I + 1>(to, to_stride, from, from_stride, rows), true)) ||
            ...);
  }
  (std::make_index_sequence<8>{});
  for (std::int64_t r = 0; !is_short && r < rows; ++r) {
    std::memmove(to + r * to_stride, from + r * from_stride, length * sizeof(T));
  }
}

template <class T>
void add_rows(T* to, std::int64_t to_stride, const T* from, std::int64_t from_stride,
              std::int64_t rows, std::int64_t columns) {
  if (to_stride == columns && from_stride == columns) {
    columns *= rows;
    rows = rows == 0 ? 0 : 1;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    T* const t = to + r * to_stride;
    const T* const f = from + r * from_stride;
    for (std::int64_t c = 0; c < columns; ++c) {
      t[c] += f[c];
    }
  }
}

}  // namespace rw::kernels

#pragma GCC visibility pop
