// For the products that dnnl_sgemm must not compute (Note [Signals during products],
// detail/onednn.hpp). Always compiled for AVX-512, as oneDNN's kernels are; support is checked at
// run time.
//
// A tile of up to 8 rows and 48 columns of the result stays in registers while a sum runs. With few
// rows it takes more columns instead, because dependent sums would leave the multipliers idle.
// Against dnnl_sgemm of oneDNN 2.6.3, on one core with AVX-512, for sums of more than 84 terms and
// less than 2^25 multiply-adds: as fast as it or up to 9 % faster from 2^20 multiply-adds on, up to
// twice as fast below; up to 8 % slower where the result has 16 columns or fewer.

#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <utility>

#include <immintrin.h>

#include <rewind/autograd/kernels/detail/products_avx512.hpp>

#define REWIND_AVX512 __attribute__((target("avx512f")))
#if defined(__clang__)
#define REWIND_UNROLL _Pragma("unroll")
#else
#define REWIND_UNROLL _Pragma("GCC unroll 16")
#endif

namespace rw::kernels::detail {
namespace {

constexpr int floats_per_register = 16;
constexpr int most_rows = 8;
constexpr std::array<int, most_rows + 1> most_vectors = {0, 12, 12, 8, 6, 4, 4, 3, 3};

/// A tile of the result and its operands.
struct Tile {
  std::int64_t k;
  const float* a;
  std::int64_t a_row, a_step;
  const float* b;
  std::int64_t b_stride;
  float* c;
  std::int64_t c_stride;
  __mmask16 last;  // the valid columns of the last vector
  bool accumulate;
};

template <int rows, int vectors>
REWIND_AVX512 void multiply_tile(const Tile& tile) {
  __m512 sums[rows][vectors];
  REWIND_UNROLL
  for (int i = 0; i < rows; ++i) {
    REWIND_UNROLL
    for (int v = 0; v < vectors; ++v) sums[i][v] = _mm512_setzero_ps();
  }
  const float* a = tile.a;
  const float* b = tile.b;
  for (std::int64_t p = 0; p < tile.k; ++p, a += tile.a_step, b += tile.b_stride) {
    __m512 row[vectors];
    REWIND_UNROLL
    for (int v = 0; v < vectors; ++v) {
      row[v] = v + 1 < vectors ? _mm512_loadu_ps(b + floats_per_register * v)
                               : _mm512_maskz_loadu_ps(tile.last, b + floats_per_register * v);
    }
    REWIND_UNROLL
    for (int i = 0; i < rows; ++i) {
      const __m512 factor = _mm512_set1_ps(a[i * tile.a_row]);
      REWIND_UNROLL
      for (int v = 0; v < vectors; ++v) sums[i][v] = _mm512_fmadd_ps(factor, row[v], sums[i][v]);
    }
  }
  REWIND_UNROLL
  for (int i = 0; i < rows; ++i) {
    float* const c = tile.c + i * tile.c_stride;
    REWIND_UNROLL
    for (int v = 0; v < vectors; ++v) {
      const __mmask16 columns = v + 1 < vectors ? static_cast<__mmask16>(0xffff) : tile.last;
      if (tile.accumulate) {
        sums[i][v] =
            _mm512_add_ps(_mm512_maskz_loadu_ps(columns, c + floats_per_register * v), sums[i][v]);
      }
      _mm512_mask_storeu_ps(c + floats_per_register * v, columns, sums[i][v]);
    }
  }
}

using Kernel = void (*)(const Tile&);
using KernelsOfRows = std::array<Kernel, 12>;

template <int rows, int... v>
constexpr KernelsOfRows kernels_of_rows(std::integer_sequence<int, v...>) {
  return {multiply_tile<rows, v + 1>...};
}

template <int... i>
constexpr std::array<KernelsOfRows, most_rows> all_kernels(std::integer_sequence<int, i...>) {
  return {kernels_of_rows<i + 1>(
      std::make_integer_sequence<int, most_vectors[std::size_t{i} + 1]>())...};
}

constexpr auto kernels = all_kernels(std::make_integer_sequence<int, most_rows>());

/// Divides `size` as evenly as possible into the fewest parts of at most `most`, and returns the
/// size of the first.
std::int64_t even_part(std::int64_t size, std::int64_t most) {
  const std::int64_t parts = (size + most - 1) / most;
  return (size + parts - 1) / parts;
}

}  // namespace

void multiply_avx512(const ProductSizes& sizes, const MatrixView<float>& a,
                     const MatrixView<float>& b, float* c, std::int64_t c_stride, bool accumulate) {
  // Data that inner loops reread must stay in a cache: the rows of a block of op(a), and the
  // columns of b below one tile.
  constexpr std::int64_t block_rows = 64;
  constexpr std::int64_t block_terms = 384;
  const auto [m, n, k] = sizes;
  const std::int64_t a_row = a.transposed ? 1 : a.stride;
  const std::int64_t a_step = a.transposed ? a.stride : 1;
  const std::int64_t terms = even_part(k, block_terms);
  for (std::int64_t p = 0; p < k; p += terms) {
    for (std::int64_t top = 0; top < m; top += block_rows) {
      const std::int64_t bottom = std::min(m, top + block_rows);
      const std::int64_t rows = even_part(bottom - top, most_rows);
      const std::int64_t widest = most_vectors[static_cast<std::size_t>(rows)];
      for (std::int64_t j = 0; j < n;) {
        const std::int64_t left = (n - j + floats_per_register - 1) / floats_per_register;
        const std::int64_t vectors = left < 2 * widest ? even_part(left, widest) : widest;
        const std::int64_t columns = std::min(n - j, vectors * floats_per_register);
        const auto last =
            static_cast<__mmask16>(0xffff >> (vectors * floats_per_register - columns));
        for (std::int64_t i = top; i < bottom; i += rows) {
          const auto height = static_cast<std::size_t>(std::min(rows, bottom - i));
          kernels[height - 1][static_cast<std::size_t>(vectors - 1)](
              {std::min(terms, k - p), a.data + i * a_row + p * a_step, a_row, a_step,
               b.data + p * b.stride + j, b.stride, c + i * c_stride + j, c_stride, last,
               accumulate || p > 0});
        }
        j += columns;
      }
    }
  }
}

}  // namespace rw::kernels::detail

#endif
