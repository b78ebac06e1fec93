#pragma once
// Products so small that oneDNN's dispatch costs more than the arithmetic; internal to
// products.cpp. Works row by row, with the columns in vector registers.

#include <algorithm>
#include <array>
#include <cstdint>

#include <rewind/autograd/kernels/products.hpp>
#include <rewind/autograd/kernels/simd.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels::detail {

/// One vector of the widest instruction set this file is compiled for.
using Batch = xsimd::batch<float>;
inline constexpr std::int64_t lanes = static_cast<std::int64_t>(Batch::size);
inline constexpr std::int64_t tiny_work = 8192;
inline constexpr std::int64_t tiny_copy = 256;

constexpr std::int64_t padded(std::int64_t n) { return (n + lanes - 1) / lanes * lanes; }

/// Whether `multiply_tiny` is fastest: few rows, little work (in whole vectors), and few numbers to
/// copy first. No size may be 0.
inline bool is_tiny(const ProductSizes& sizes, bool b_transposed) {
  const auto [m, n, k] = sizes;
  if (m > 32 || (b_transposed && m < 4) || n > tiny_work || k > tiny_work) return false;
  const std::int64_t copied = k * padded(b_transposed ? n : n % lanes);
  return m * k * padded(n) <= tiny_work && copied <= tiny_copy;
}

/// Columns [0, vectors * lanes) of one row: c (+)= the sum over p of a[p * a_step] * row p of b.
template <std::size_t vectors>
void multiply_columns(const float* a, std::int64_t a_step, const float* b, std::int64_t b_stride,
                      std::int64_t k, float* c, bool accumulate) {
  std::array<Batch, vectors> total;
  for (std::size_t v = 0; v < vectors; ++v) {
    total[v] = accumulate ? Batch::load_unaligned(c + v * Batch::size) : Batch(0.0f);
  }
  for (std::int64_t p = 0; p < k; ++p) {
    const Batch factor(a[p * a_step]);
    for (std::size_t v = 0; v < vectors; ++v) {
      const Batch column = Batch::load_unaligned(b + p * b_stride + v * Batch::size);
      total[v] = simd::fma(factor, column, total[v]);
    }
  }
  for (std::size_t v = 0; v < vectors; ++v) total[v].store_unaligned(c + v * Batch::size);
}

/// Copies columns [first, n) of op(b) to rows of whole vectors, padded with zeros.
inline void copy_columns(const ProductSizes& sizes, const MatrixView<float>& b, std::int64_t first,
                         float* copy) {
  const std::int64_t width = padded(sizes.n - first);
  const std::int64_t row_step = b.transposed ? 1 : b.stride;
  const std::int64_t column_step = b.transposed ? b.stride : 1;
  std::fill_n(copy, sizes.k * width, 0.0f);
  for (std::int64_t j = first; j < sizes.n; ++j) {
    const float* column = b.data + j * column_step;
    for (std::int64_t p = 0; p < sizes.k; ++p) copy[p * width + j - first] = column[p * row_step];
  }
}

/// The product of sizes for which `is_tiny` holds.
inline void multiply_tiny(const ProductSizes& sizes, const MatrixView<float>& a,
                          const MatrixView<float>& b, float* c, std::int64_t c_stride,
                          bool accumulate) {
  const auto [m, n, k] = sizes;
  const std::int64_t whole = n / lanes * lanes;
  // Whole vectors of an untransposed matrix are read in place; everything else is copied first.
  const std::int64_t in_place = b.transposed ? 0 : whole;
  const std::int64_t copy_width = padded(n - in_place);
  alignas(64) std::array<float, tiny_copy> copy;
  if (in_place < n) copy_columns(sizes, b, in_place, copy.data());
  const float* right = b.transposed ? copy.data() : b.data;
  const std::int64_t right_stride = b.transposed ? copy_width : b.stride;
  const float* last = copy.data() + (whole - in_place);
  const std::int64_t a_row = a.transposed ? 1 : a.stride;
  const std::int64_t a_step = a.transposed ? a.stride : 1;
  alignas(64) std::array<float, Batch::size> sums;
  for (std::int64_t i = 0; i < m; ++i) {
    const float* row = a.data + i * a_row;
    float* target = c + i * c_stride;
    std::int64_t j = 0;
    for (; j + 4 * lanes <= whole; j += 4 * lanes) {
      multiply_columns<4>(row, a_step, right + j, right_stride, k, target + j, accumulate);
    }
    for (; j < whole; j += lanes) {
      multiply_columns<1>(row, a_step, right + j, right_stride, k, target + j, accumulate);
    }
    if (j == n) continue;
    multiply_columns<1>(row, a_step, last, copy_width, k, sums.data(), false);
    for (const float* sum = sums.data(); j < n; ++j, ++sum) {
      target[j] = accumulate ? target[j] + *sum : *sum;
    }
  }
}

}  // namespace rw::kernels::detail

#pragma GCC visibility pop
