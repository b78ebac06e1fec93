#pragma once

#include <cstdint>

#include <rewind/autograd/tensor/dtype.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

// Note [Rows of a multiple of 4 KiB]
// The elements of a column of such a matrix map to the same cache sets, so a product that reads
// several rows at once waits for memory: [64, 512] x [512, 2048] runs at 88 GFLOP/s, with rows 16
// elements longer at 109. So weights are packed with longer rows (Note [Packed weights]), and sums
// that products are added to, such as the gates of all time steps, are columns of a wider matrix,
// so that their gradients have the same stride. This makes training of a GRU of 256 units with two
// threads 10 % faster.

/// The row stride, in elements, for a matrix of `columns` columns that products read or write,
/// where rows of a multiple of `slow` elements are slow.
inline std::int64_t good_row_stride(std::int64_t columns, DType dtype, std::int64_t slow = 1024) {
  constexpr std::int64_t spare = 16;  // 64 bytes
  // float64 is not multiplied by oneDNN.
  const bool is_slow = dtype == DType::float32 && columns > 0 && columns % slow == 0;
  return is_slow ? columns + spare : columns;
}

}  // namespace rw::detail

#pragma GCC visibility pop
