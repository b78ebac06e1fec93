#pragma once
// One register of numbers and what can be done with it. NaN in, NaN out, everywhere: comparisons
// are written so that a NaN operand reaches the result; xsimd 8.1's `!=` is false for a NaN on AVX,
// so isnan() asks for it.

#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

#include <xsimd/xsimd.hpp>

namespace rw::simd {

template <class T>
using Batch = xsimd::batch<T>;

template <class V>
using Scalar = typename V::value_type;

/// a b + c and c - a b, rounded once where the processor can: xsimd 8.1 does not know the
/// instructions of AVX-512.
template <class V>
V fma(V a, V b, V c) {
#if XSIMD_WITH_AVX512F
  if constexpr (sizeof(Scalar<V>) == 4) {
    return _mm512_fmadd_ps(a, b, c);
  } else {
    return _mm512_fmadd_pd(a, b, c);
  }
#else
  return xsimd::fma(a, b, c);
#endif
}
template <class V>
V fnma(V a, V b, V c) {
#if XSIMD_WITH_AVX512F
  if constexpr (sizeof(Scalar<V>) == 4) {
    return _mm512_fnmadd_ps(a, b, c);
  } else {
    return _mm512_fnmadd_pd(a, b, c);
  }
#else
  return xsimd::fnma(a, b, c);
#endif
}

template <class V>
V relu(V x) {
  return xsimd::select(x <= V(0), V(0), x);
}

template <class V>
V maximum(V a, V b) {
  return xsimd::select((a > b) | xsimd::isnan(a), a, b);
}

template <class V>
V minimum(V a, V b) {
  return xsimd::select((a < b) | xsimd::isnan(a), a, b);
}

template <class V>
V sign(V x) {
  return xsimd::select(x > V(0), V(1), xsimd::select(x < V(0), V(-1), x));
}

/// Constants of the reduction x = k log(2) + r. `log2_high` has so few digits that k log2_high is
/// exact.
template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float log2_high = 0.693359375f;
  static constexpr float log2_low = -2.12194440e-4f;
  static constexpr float infinite = 89.0f;             // e^x overflows here and above,
  static constexpr float zero = -104.5f;               // and rounds to 0 here and below;
  static constexpr float vanishing = -88.0f;           // here it has lost its leading digit
  static constexpr float one = 10.0f;                  // tanh rounds to 1 here and above
  static constexpr float minus_one = -18.0f;           // e^x - 1 rounds to -1 here and below
  static constexpr float to_bits = 12582912.0f + 127;  // 1.5 * 2^23 + the exponent's bias
  static constexpr int mantissa = 23;
};
template <>
struct ExpConstants<double> {
  static constexpr double log2_high = 6.93147180369123816490e-01;
  static constexpr double log2_low = 1.90821492927058770002e-10;
  static constexpr double infinite = 710.0;
  static constexpr double zero = -746.0;
  static constexpr double vanishing = -709.0;
  static constexpr double one = 20.0;
  static constexpr double minus_one = -40.0;
  static constexpr double to_bits = 6755399441055744.0 + 1023;  // 1.5 * 2^52 + the bias
  static constexpr int mantissa = 52;
};

/// `x` limited to [low, high]. The order of operands matters: x86 gives the second where one is
/// NaN.
template <class V>
V limited(V x, Scalar<V> low, Scalar<V> high) {
  return xsimd::max(V(low), xsimd::min(V(high), x));
}

/// 2^k for an integer k: 0 just below the range of normal numbers, infinity just above.
template <class V>
V power_of_two(V k) {
  using C = ExpConstants<Scalar<V>>;
  using Integers = xsimd::as_integer_t<V>;
  // The sum leaves k + bias in its last bits, from where it moves to the exponent's place.
  const auto bits = xsimd::bitwise_cast<Integers>(k + V(C::to_bits));
  return xsimd::bitwise_cast<V>(bits << C::mantissa);
}

/// e^x as 2^k (1 + p) with an integer k and |log(1 + p)| <= log(2) / 2. float: Cephes expf (Moshier
/// 1992); double: FreeBSD e_exp.c (Sun Microsystems 1993).
template <class V>
struct Exponential {
  V k;
  V p;

  explicit Exponential(V x) {
    using C = ExpConstants<Scalar<V>>;
    k = xsimd::nearbyint(x * V(Scalar<V>(1.44269504088896340736)));
    const V high = simd::fnma(k, V(C::log2_high), x);
    if constexpr (sizeof(Scalar<V>) == 4) {
      const V r = simd::fnma(k, V(C::log2_low), high);
      V q(1.9875691500e-4f);
      for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                            5.0000001201e-1f}) {
        q = simd::fma(q, r, V(c));
      }
      p = simd::fma(q, r * r, r);
    } else {
      const V low = k * V(C::log2_low);
      const V r = high - low;
      const V t = r * r;
      V q(4.13813679705723846039e-08);
      for (const double c : {-1.65339022054652515390e-06, 6.61375632143793436117e-05,
                             -2.77777777770155933842e-03, 1.66666666666666019037e-01}) {
        q = simd::fma(q, t, V(c));
      }
      const V c = simd::fnma(t, q, r);
      p = high - (low - r * c / (V(2) - c));
    }
  }
};

// xsimd's exp gives 0 for results below the normal range and infinity from 88.4 on (float), where
// e^x is still finite.
template <class V>
V exp(V x) {
  using C = ExpConstants<Scalar<V>>;
  const Exponential<V> e(limited(x, C::zero, C::infinite));
  // In two factors, of which neither leaves the range of normal numbers where their product does.
  const V half = xsimd::nearbyint(e.k * V(Scalar<V>(0.5)));
  return (V(1) + e.p) * power_of_two(half) * power_of_two(e.k - half);
}

/// The same, but for 0 instead of results below the normal range, and infinity from 2^127.5
/// (2^1023.5) on.
template <class V>
V exp_normal(V x) {
  using C = ExpConstants<Scalar<V>>;
  const Exponential<V> e(limited(x, C::vanishing, C::infinite));
  return (V(1) + e.p) * power_of_two(e.k);
}

template <class V>
V expm1(V x) {
  using C = ExpConstants<Scalar<V>>;
  const Exponential<V> e(limited(x, C::minus_one, C::infinite));
  // 2^k may lie just above the range of numbers when e^x does not.
  const V k = xsimd::min(V(Scalar<V>(std::numeric_limits<Scalar<V>>::max_exponent - 1)), e.k);
  const V factor = power_of_two(k);
  return simd::fma(factor, e.p, factor - V(1)) * (e.k - k + V(1));  // k is at most one less
}

/// xsimd's, which for double reads the exponent of a number below the normal range before it scales
/// it.
template <class V>
V log(V x) {
  if constexpr (sizeof(Scalar<V>) == 4) {
    return xsimd::log(x);
  } else {
    const auto is_tiny = x < V(std::numeric_limits<Scalar<V>>::min());
    const V y = xsimd::log(xsimd::select(is_tiny, x * V(0x1p54), x));
    return xsimd::select(is_tiny, y - V(37.429947750237047), y);  // 54 log 2
  }
}

template <class V>
V log1p(V x) {
  return xsimd::log1p(x);
}

/// tanh|x| = (e^2|x| - 1) / (e^2|x| + 1), with the numerator computed without cancellation: one
/// exponential, no second case for small arguments, exact for tiny ones, odd.
template <class V>
V tanh(V x) {
  using C = ExpConstants<Scalar<V>>;
  const V magnitude = xsimd::min(V(C::one), xsimd::abs(x));
  const Exponential<V> e(magnitude + magnitude);
  const V factor = power_of_two(e.k);
  const V minus_one = simd::fma(factor, e.p, factor - V(1));
  return (minus_one / (minus_one + V(2))) | xsimd::bitofsign(x);
}

/// function(x) (or function(x, y)), lane by lane.
template <class Function, class V, class... W>
V by_lane(Function function, V x, W... y) {
  constexpr std::size_t lanes = V::size;
  alignas(64) Scalar<V> values[1 + sizeof...(W)][lanes];
  x.store_aligned(values[0]);
  std::size_t next = 1;
  (y.store_aligned(values[next++]), ...);
  for (std::size_t i = 0; i < lanes; ++i) {
    if constexpr (sizeof...(W) == 0) {
      values[0][i] = function(values[0][i]);
    } else {
      values[0][i] = function(values[0][i], values[1][i]);
    }
  }
  return V::load_aligned(values[0]);
}

/// Within 3 ulp for float. xsimd's erf for double is off by up to 68 ulp, and NaN for large
/// arguments.
template <class V>
V erf(V x) {
  if constexpr (sizeof(Scalar<V>) == 4) {
    return xsimd::select(xsimd::isnan(x), x, xsimd::erf(x));
  } else {
    return by_lane([](auto lane) { return std::erf(lane); }, x);
  }
}

/// 1 / (1 + e^-x); 0 where that is below the normal range.
template <class V>
V sigmoid(V x) {
  return V(1) / (V(1) + exp_normal(-x));
}

/// log(1 + e^x) without overflow.
template <class V>
V softplus(V x) {
  // Qualified, because argument-dependent lookup would find xsimd's exp.
  return maximum(x, V(0)) + simd::log1p(simd::exp(-xsimd::abs(x)));
}

/// The C library's: exp(y log(x)) would multiply the logarithm's error by y, and xsimd's pow(0, 0)
/// is 0. Unlike in C, NaN whenever an operand is.
template <class V>
V pow(V x, V y) {
  const V power = by_lane([](auto base, auto exponent) { return std::pow(base, exponent); }, x, y);
  return xsimd::select(xsimd::isnan(x) | xsimd::isnan(y), x + y, power);
}

/// The number of lanes where the compiler is to know that all of them are meant.
template <class T>
using AllLanes = std::integral_constant<std::size_t, Batch<T>::size>;

template <class T>
Batch<T> load_part(const T* from, AllLanes<T>) {
  return Batch<T>::load_unaligned(from);
}
/// `n` <= lanes elements; the other lanes hold 0.
template <class T>
Batch<T> load_part(const T* from, std::size_t n) {
#if XSIMD_WITH_AVX512F
  if constexpr (sizeof(T) == 4) {
    const auto mask = static_cast<__mmask16>((1U << n) - 1);
    return Batch<T>(_mm512_maskz_loadu_ps(mask, from));
  } else {
    const auto mask = static_cast<__mmask8>((1U << n) - 1);
    return Batch<T>(_mm512_maskz_loadu_pd(mask, from));
  }
#else
  if (n == Batch<T>::size) {
    return Batch<T>::load_unaligned(from);
  }
  alignas(64) T lanes[Batch<T>::size];
  for (std::size_t i = 0; i < Batch<T>::size; ++i) {
    lanes[i] = i < n ? from[i] : T(0);
  }
  return Batch<T>::load_aligned(lanes);
#endif
}

template <class T>
void store_part(Batch<T> value, T* to, AllLanes<T>) {
  value.store_unaligned(to);
}
/// Writes the first `n` <= lanes lanes.
template <class T>
void store_part(Batch<T> value, T* to, std::size_t n) {
#if XSIMD_WITH_AVX512F
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << n) - 1), value);
  } else {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1U << n) - 1), value);
  }
#else
  if (n == Batch<T>::size) {
    value.store_unaligned(to);
    return;
  }
  alignas(64) T lanes[Batch<T>::size];
  value.store_aligned(lanes);
  for (std::size_t i = 0; i < n; ++i) {
    to[i] = lanes[i];
  }
#endif
}

}  // namespace rw::simd
