#pragma once
// Loops over one contiguous row, one register at a time, and the sums and maxima that reductions,
// softmax and losses share.

#include <algorithm>
#include <array>
#include <cstdint>

#include <rewind/autograd/kernels/simd.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels {

template <class T>
inline constexpr auto lanes = static_cast<std::int64_t>(simd::Batch<T>::size);

/// Loads `count` <= lanes elements; the other lanes hold 0.
template <class T>
[[gnu::always_inline]] inline simd::Batch<T> load(const T* from, std::int64_t count) {
  return count == lanes<T> ? simd::Batch<T>::load_unaligned(from)
                           : simd::load_part(from, static_cast<std::size_t>(count));
}

template <class T>
[[gnu::always_inline]] inline void store(simd::Batch<T> value, T* to, std::int64_t count) {
  if (count == lanes<T>) {
    value.store_unaligned(to);
  } else {
    simd::store_part(value, to, static_cast<std::size_t>(count));
  }
}

/// Calls body(begin, count) for the registers that cover n elements; only the last may have count <
/// lanes.
template <class T, class Body>
[[gnu::always_inline]] inline void for_registers(std::int64_t n, Body&& body) {
  std::int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) {
    body(i, lanes<T>);
  }
  if (i < n) {
    body(i, n - i);
  }
}

// Note [Accurate sums]
// A running float32 sum of 10^7 equal terms is wrong in the first digit, because small terms are
// lost against the large sum. Here float32 partial sums have at most a few dozen terms each, and
// are summed in float64. The relative error of a sum of positive terms stays below 10^-6 whatever
// their number, at memory speed.

/// Sum of the elements of the registers term(begin, count) that cover n elements (Note [Accurate
/// sums]).
template <class T, class Term>
[[gnu::always_inline]] inline double sum_terms(std::int64_t n, Term&& term) {
  using V = simd::Batch<T>;
  double total = 0;
  std::int64_t i = 0;
  while (i + lanes<T> <= n) {
    const std::int64_t last = std::min(n - lanes<T>, i + 7 * lanes<T>);
    V partial(T(0));
    for (; i <= last; i += lanes<T>) {
      partial += term(i, lanes<T>);
    }
    total += static_cast<double>(simd::sum_of_lanes(partial));
  }
  if (i < n) {
    alignas(64) std::array<T, V::size> values;
    term(i, n - i).store_aligned(values.data());
    for (std::int64_t k = 0; k < n - i; ++k) {
      total += static_cast<double>(values[static_cast<std::size_t>(k)]);
    }
  }
  return total;
}

/// Sum of e^(x_i - shift).
template <class T>
double sum_exp(const T* x, std::int64_t n, T shift) {
  const simd::Batch<T> by(shift);
  return sum_terms<T>(
      n, [&](std::int64_t i, std::int64_t count) { return simd::exp(load(x + i, count) - by); });
}

/// x_0 + ... + x_(n-1) (Note [Accurate sums]).
template <class T>
double sum_row(const T* x, std::int64_t n) {
  using V = simd::Batch<T>;
  constexpr std::int64_t group = 8 * lanes<T>;
  double total = 0;
  std::int64_t i = 0;
  while (i + group <= n) {
    const std::int64_t last = std::min(n - group, i + 7 * group);
    V a(T(0)), b(T(0)), c(T(0)), d(T(0)), e(T(0)), f(T(0)), g(T(0)), h(T(0));
    for (; i <= last; i += group) {
      a += V::load_unaligned(x + i);
      b += V::load_unaligned(x + i + lanes<T>);
      c += V::load_unaligned(x + i + 2 * lanes<T>);
      d += V::load_unaligned(x + i + 3 * lanes<T>);
      e += V::load_unaligned(x + i + 4 * lanes<T>);
      f += V::load_unaligned(x + i + 5 * lanes<T>);
      g += V::load_unaligned(x + i + 6 * lanes<T>);
      h += V::load_unaligned(x + i + 7 * lanes<T>);
    }
    total += static_cast<double>(simd::sum_of_lanes(((a + b) + (c + d)) + ((e + f) + (g + h))));
  }
  if (i + lanes<T> <= n) {
    V rest(T(0));
    for (; i + lanes<T> <= n; i += lanes<T>) {
      rest += V::load_unaligned(x + i);
    }
    total += static_cast<double>(simd::sum_of_lanes(rest));
  }
  for (; i < n; ++i) {
    total += static_cast<double>(x[i]);
  }
  return total;
}

/// The larger (or smaller) of two numbers or registers; NaN if either is NaN.
struct Larger {
  template <class T>
  static bool is_better(T a, T b) {
    return a > b;
  }
  template <class T>
  static T scalar(T a, T b) {
    return (is_better(a, b) | (a != a)) ? a : b;
  }
  template <class V>
  static V batch(V a, V b) {
    return simd::maximum(a, b);
  }
};
struct Smaller {
  template <class T>
  static bool is_better(T a, T b) {
    return a < b;
  }
  template <class T>
  static T scalar(T a, T b) {
    return (is_better(a, b) | (a != a)) ? a : b;
  }
  template <class V>
  static V batch(V a, V b) {
    return simd::minimum(a, b);
  }
};

/// The largest (Pick = Larger) or smallest of n >= 1 elements; NaN if any is NaN.
template <class Pick, class T>
T extreme_of_row(const T* x, std::int64_t n) {
  using V = simd::Batch<T>;
  if (n < lanes<T>) {
    T best = x[0];
    for (std::int64_t i = 1; i < n; ++i) {
      best = Pick::scalar(best, x[i]);
    }
    return best;
  }
  V a = V::load_unaligned(x);
  V b = a;
  std::int64_t i = lanes<T>;
  for (; i + 2 * lanes<T> <= n; i += 2 * lanes<T>) {
    a = Pick::batch(a, V::load_unaligned(x + i));
    b = Pick::batch(b, V::load_unaligned(x + i + lanes<T>));
  }
  if (i + lanes<T> <= n) {
    a = Pick::batch(a, V::load_unaligned(x + i));
  }
  // The last register may overlap earlier elements, which does not change the result.
  a = Pick::batch(Pick::batch(a, b), V::load_unaligned(x + n - lanes<T>));
  alignas(64) std::array<T, V::size> values;
  a.store_aligned(values.data());
  T best = values[0];
  for (const T value : values) {
    best = Pick::scalar(best, value);
  }
  return best;
}

}  // namespace rw::kernels

#pragma GCC visibility pop
