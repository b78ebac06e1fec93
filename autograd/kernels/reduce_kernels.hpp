#pragma once
// Reductions over columns, several at a time, and over single rows.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <rewind/autograd/kernels/row_kernels.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels {

// Note [Overflow of partial sums]
// A float32 partial sum (Note [Accurate sums]) can overflow although the sum of all terms, or their
// mean, fits the type: the mean of 64 times 3e38 is 3e38. The total is then infinite or NaN, so
// only such totals are summed again, term by term in float64. Finite totals cost nothing extra and
// keep their bits. A float64 sum that overflows stays infinite.

/// (x_0 + x_step + ... + x_((n-1) step)) / divisor, without partial sums in T.
template <class To, class T>
[[gnu::noinline]] To sum_again(const T* x, std::int64_t n, std::int64_t step, double divisor) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    total += static_cast<double>(x[i * step]);
  }
  return static_cast<To>(total / divisor);
}

/// (x_0 + ... + x_(n-1)) / divisor (Note [Overflow of partial sums]).
template <class To, class T>
To divided_sum_of_row(const T* x, std::int64_t n, double divisor) {
  const double total = sum_row(x, n);
  return std::is_same_v<T, double> || std::isfinite(total) ? static_cast<To>(total / divisor)
                                                           : sum_again<To>(x, n, 1, divisor);
}

/// to[c] = (sum over rows of x[row][c]) / divisor (Notes [Accurate sums] and [Overflow of partial
/// sums]).
template <class To, class T>
void sum_columns(const T* x, std::int64_t rows, std::int64_t step, std::int64_t columns,
                 double divisor, To* to) {
  constexpr std::int64_t width = 256;
  std::array<double, width> total;
  for (std::int64_t begin = 0; begin < columns; begin += width) {
    const std::int64_t count = std::min(width, columns - begin);
    double* const t = total.data();
    std::fill_n(t, count, 0.0);
    const T* p = x + begin;
    std::int64_t row = 0;
    for (; row + 8 <= rows; row += 8, p += 8 * step) {
      for (std::int64_t c = 0; c < count; ++c) {
        const T low = (p[c] + p[c + step]) + (p[c + 2 * step] + p[c + 3 * step]);
        const T high = (p[c + 4 * step] + p[c + 5 * step]) + (p[c + 6 * step] + p[c + 7 * step]);
        t[c] += static_cast<double>(low + high);
      }
    }
    for (; row < rows; ++row, p += step) {
      for (std::int64_t c = 0; c < count; ++c) {
        t[c] += static_cast<double>(p[c]);
      }
    }
    int overflowed = 0;
    for (std::int64_t c = 0; c < count; ++c) {
      to[begin + c] = static_cast<To>(t[c] / divisor);
      overflowed |= std::abs(t[c]) <= std::numeric_limits<double>::max() ? 0 : 1;
    }
    if (std::is_same_v<T, float> && overflowed != 0) {
      for (std::int64_t c = 0; c < count; ++c) {
        if (!std::isfinite(t[c])) {
          to[begin + c] = sum_again<To>(x + begin + c, rows, step, divisor);
        }
      }
    }
  }
}

/// to[c] = the largest (or smallest) of x[row][c] over rows >= 1.
template <class Pick, class T>
void extremes_of_columns(const T* x, std::int64_t rows, std::int64_t step, std::int64_t columns,
                         T* to) {
  constexpr std::int64_t width = 1024;
  for (std::int64_t begin = 0; begin < columns; begin += width) {
    const std::int64_t count = std::min(width, columns - begin);
    std::copy_n(x + begin, count, to + begin);
    for (std::int64_t row = 1; row < rows; ++row) {
      const T* const p = x + row * step + begin;
      for_registers<T>(count, [&](std::int64_t c, std::int64_t n) {
        T* const place = to + begin + c;
        store(Pick::batch(load(place, n), load(p + c, n)), place, n);
      });
    }
  }
}

/// The value to subtract before exp: the largest element, or 0 if that would give infinity -
/// infinity.
template <class T>
T shift_of(T largest) {
  return std::isfinite(largest) ? largest : T(0);
}

template <class T>
T logsumexp_of_row(const T* x, std::int64_t n) {
  const T shift = n == 0 ? T(0) : shift_of(extreme_of_row<Larger>(x, n));
  return static_cast<T>(static_cast<double>(shift) + std::log(sum_exp(x, n, shift)));
}

template <class T>
void logsumexp_of_columns(const T* x, std::int64_t rows, std::int64_t step, std::int64_t columns,
                          T* to) {
  using V = simd::Batch<T>;
  constexpr std::int64_t width = 128;
  constexpr std::int64_t stretch = 16;
  std::array<T, width> shift{};
  std::array<T, width> partial;
  std::array<double, width> total;
  for (std::int64_t begin = 0; begin < columns; begin += width) {
    const std::int64_t count = std::min(width, columns - begin);
    if (rows > 0) {
      extremes_of_columns<Larger>(x + begin, rows, step, count, shift.data());
      std::transform(shift.begin(), shift.begin() + count, shift.begin(), shift_of<T>);
    }
    total.fill(0);
    // Note [Accurate sums]
    for (std::int64_t first = 0; first < rows; first += stretch) {
      partial.fill(T(0));
      for (std::int64_t row = first; row < std::min(rows, first + stretch); ++row) {
        const T* const p = x + row * step + begin;
        for_registers<T>(count, [&](std::int64_t c, std::int64_t n) {
          const V term =
              simd::exp(load(p + c, n) - V::load_unaligned(&shift[static_cast<std::size_t>(c)]));
          (V::load_unaligned(&partial[static_cast<std::size_t>(c)]) + term)
              .store_unaligned(&partial[static_cast<std::size_t>(c)]);
        });
      }
      for (std::size_t c = 0; c < width; ++c) {
        total[c] += static_cast<double>(partial[c]);
      }
    }
    for (std::int64_t c = 0; c < count; ++c) {
      to[begin + c] = static_cast<T>(static_cast<double>(shift[static_cast<std::size_t>(c)]) +
                                     std::log(total[static_cast<std::size_t>(c)]));
    }
  }
}

/// The index of the first NaN, or else of the first largest (Pick = Larger) or smallest, of n >= 1
/// elements.
template <class Pick, class T>
std::int64_t index_of_extreme(const T* x, std::int64_t n) {
  const T extreme = extreme_of_row<Pick>(x, n);
  if (std::isnan(extreme)) {
    return std::find_if(x, x + n, [](T v) { return std::isnan(v); }) - x;
  }
  return std::find(x, x + n, extreme) - x;
}

/// The same for each of several columns.
template <class Pick, class T>
void indices_of_extremes(const T* x, std::int64_t rows, std::int64_t step, std::int64_t columns,
                         std::int64_t* to) {
  std::fill_n(to, columns, 0);
  for (std::int64_t row = 1; row < rows; ++row) {
    const T* const p = x + row * step;
    for (std::int64_t c = 0; c < columns; ++c) {
      const T best = x[to[c] * step + c];
      const bool better = Pick::is_better(p[c], best);
      to[c] = better || (std::isnan(p[c]) && !std::isnan(best)) ? row : to[c];
    }
  }
}

}  // namespace rw::kernels

#pragma GCC visibility pop
