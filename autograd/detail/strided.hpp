#pragma once
// Plain loops over rows that lie apart: simple enough for the compiler to vectorise.

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace rw::kernels {

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
  for (std::int64_t r = 0; r < rows; ++r) {
    std::memmove(to + r * to_stride, from + r * from_stride,
                 static_cast<std::size_t>(columns) * sizeof(T));
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
