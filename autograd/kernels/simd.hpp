#pragma once
// One SIMD register of numbers and its functions. All functions propagate NaN: comparisons are
// written so that a NaN operand reaches the result; xsimd 8.1's `!=` is false for a NaN on AVX, so
// isnan() detects it. The only file that depends on the version of xsimd, 8 to 13.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <xsimd/xsimd.hpp>

namespace rw::simd {

template <class T>
using Batch = xsimd::batch<T>;

template <class V>
using Scalar = typename V::value_type;

/// Unsigned integers as wide as the lanes of V, and as many.
template <class V>
using Bits = xsimd::batch<std::conditional_t<sizeof(Scalar<V>) == 4, std::uint32_t, std::uint64_t>>;

/// The sum of all lanes: `hadd` until xsimd 8, `reduce_add` since.
template <class V>
Scalar<V> sum_of_lanes(V x) {
  if constexpr (requires { reduce_add(x); }) {
    return reduce_add(x);
  } else {
    return hadd(x);
  }
}

/// a b + c and c - a b, rounded once if the processor can: xsimd 8.1 does not use the instructions
/// of AVX-512.
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

/// -x, also of a zero, whose sign xsimd 8's operator loses with AVX-512.
/// Max error: float 0 ulp, double 0 ulp. Valid range: all.
template <class V>
V negate(V x) {
  return V(Scalar<V>(-0.0)) - x;
}

/// Max error: float 0 ulp, double 0 ulp. Valid range: all.
template <class V>
V relu(V x) {
  return xsimd::select(x <= V(0), V(0), x);
}

/// Max error: float 0 ulp, double 0 ulp. Valid range: all.
template <class V>
V maximum(V a, V b) {
  return xsimd::select((a > b) | xsimd::isnan(a), a, b);
}

/// Max error: float 0 ulp, double 0 ulp. Valid range: all.
template <class V>
V minimum(V a, V b) {
  return xsimd::select((a < b) | xsimd::isnan(a), a, b);
}

/// Max error: float 0 ulp, double 0 ulp. Valid range: all.
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

/// `x` clamped to [low, high]. The order of operands matters: x86 returns the second if one is NaN.
template <class V>
V limited(V x, Scalar<V> low, Scalar<V> high) {
  return xsimd::max(V(low), xsimd::min(V(high), x));
}

/// 2^k for an integer k: 0 just below the range of normal numbers, infinity just above.
template <class V>
V power_of_two(V k) {
  using C = ExpConstants<Scalar<V>>;
  // The sum has k + bias in its last bits; the shift moves it to the exponent.
  return std::bit_cast<V>(std::bit_cast<Bits<V>>(k + V(C::to_bits)) << C::mantissa);
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

// xsimd's exp returns 0 for results below the normal range and infinity from 88.4 on (float), where
// e^x is still finite.
/// Max error: float 1.1 ulp, double 1.1 ulp. Valid range: all.
template <class V>
V exp(V x) {
  using C = ExpConstants<Scalar<V>>;
  const Exponential<V> e(limited(x, C::zero, C::infinite));
  // In two factors that stay in the range of normal numbers even where their product does not.
  const V half = xsimd::nearbyint(e.k * V(Scalar<V>(0.5)));
  return (V(1) + e.p) * power_of_two(half) * power_of_two(e.k - half);
}

/// The same, but 0 for results below the normal range, and infinity from 2^127.5 (2^1023.5) on.
/// Max error: float 1.1 ulp, double 1.1 ulp. Valid range: float [-87.3, 88.3], double [-708, 709].
template <class V>
V exp_normal(V x) {
  using C = ExpConstants<Scalar<V>>;
  const Exponential<V> e(limited(x, C::vanishing, C::infinite));
  return (V(1) + e.p) * power_of_two(e.k);
}

/// Max error: float 1.6 ulp, double 1.7 ulp. Valid range: all.
template <class V>
V expm1(V x) {
  using C = ExpConstants<Scalar<V>>;
  const Exponential<V> e(limited(x, C::minus_one, C::infinite));
  // 2^k may be just above the range of numbers when e^x is not.
  const V k = xsimd::min(V(Scalar<V>(std::numeric_limits<Scalar<V>>::max_exponent - 1)), e.k);
  const V factor = power_of_two(k);
  return simd::fma(factor, e.p, factor - V(1)) * (e.k - k + V(1));  // k is at most one less
}

template <class T>
struct LogConstants;
template <>
struct LogConstants<float> {
  static constexpr std::uint32_t one = 0x3f800000;        // bits of 1
  static constexpr std::uint32_t root_half = 0x3f3504f3;  // bits of sqrt(1/2)
  static constexpr std::uint32_t fraction = 0x007fffff;   // all bits of the mantissa
  static constexpr std::uint32_t integer = 0x4b000000;    // bits of 2^23
  static constexpr float integer_bias = 8388608.0f + 127;
  static constexpr float rescale = 23;  // log2 of the factor that makes a number normal
  static constexpr float rescaled = 0x1p23f;
};
template <>
struct LogConstants<double> {
  static constexpr std::uint64_t one = 0x3ff0000000000000;
  static constexpr std::uint64_t root_half = 0x3fe6a09e00000000;
  static constexpr std::uint64_t fraction = 0x000fffffffffffff;
  static constexpr std::uint64_t integer = 0x4330000000000000;  // bits of 2^52
  static constexpr double integer_bias = 4503599627370496.0 + 1023;
  static constexpr double rescale = 54;
  static constexpr double rescaled = 0x1p54;
};

/// A normal number x > 0 as 2^k (1 + f) with an integer k and sqrt(1/2) <= 1 + f < sqrt(2). FreeBSD
/// e_logf.c and e_log.c (Sun Microsystems 1993).
template <class V>
struct Logarithm {
  V k;
  V f;

  explicit Logarithm(V x) {
    using C = LogConstants<Scalar<V>>;
    const Bits<V> bits = std::bit_cast<Bits<V>>(x) + Bits<V>(C::one - C::root_half);
    const Bits<V> exponent = bits >> ExpConstants<Scalar<V>>::mantissa;
    // An integer in the last bits of 2^23 (2^52) becomes a number by one subtraction.
    k = std::bit_cast<V>(exponent | Bits<V>(C::integer)) - V(C::integer_bias);
    f = std::bit_cast<V>((bits & Bits<V>(C::fraction)) + Bits<V>(C::root_half)) - V(1);
  }

  /// k log(2) + log(1 + f) + correction.
  V value(V correction) const {
    using C = ExpConstants<Scalar<V>>;
    const V s = f / (V(2) + f);
    const V z = s * s;
    const V w = z * z;
    V odd, even;
    if constexpr (sizeof(Scalar<V>) == 4) {
      even = w * simd::fma(w, V(0.24279078841f), V(0.40000972152f));
      odd = z * simd::fma(w, V(0.28498786688f), V(0.66666662693f));
    } else {
      even = simd::fma(w, V(1.531383769920937332e-01), V(2.222219843214978396e-01));
      even = w * simd::fma(w, even, V(3.999999999940941908e-01));
      odd = simd::fma(w, V(1.479819860511658591e-01), V(1.818357216161805012e-01));
      odd = simd::fma(w, odd, V(2.857142874366239149e-01));
      odd = z * simd::fma(w, odd, V(6.666666666666735130e-01));
    }
    const V half_square = V(Scalar<V>(0.5)) * f * f;
    const V low = simd::fma(s, half_square + (odd + even), k * V(C::log2_low) + correction);
    return simd::fma(k, V(C::log2_high), low - half_square + f);
  }
};

/// The logarithm of x, which is `y` where x is positive and finite.
template <class V>
V log_everywhere(V x, V y) {
  constexpr Scalar<V> infinity = std::numeric_limits<Scalar<V>>::infinity();
  constexpr Scalar<V> nan = std::numeric_limits<Scalar<V>>::quiet_NaN();
  const V elsewhere = xsimd::select(x == V(0), V(-infinity), V(nan));
  return xsimd::select(x > V(0), xsimd::select(x == V(infinity), x, y), elsewhere);
}

// Not xsimd's: xsimd 8.1's does not compile for AVX-512 without optimisation (its select() of
// integers passes a batch to a macro of g++), and for double it reads the exponent of a subnormal
// number before scaling it.
/// Max error: float 0.9 ulp, double 0.9 ulp. Valid range: all.
template <class V>
V log(V x) {
  using C = LogConstants<Scalar<V>>;
  const auto is_tiny = x < V(std::numeric_limits<Scalar<V>>::min());
  Logarithm<V> parts(xsimd::select(is_tiny, x * V(C::rescaled), x));
  parts.k = parts.k - xsimd::select(is_tiny, V(C::rescale), V(0));
  return log_everywhere(x, parts.value(V(0)));
}

/// Max error: float 0.9 ulp, double 0.9 ulp. Valid range: all.
template <class V>
V log1p(V x) {
  const V u = V(1) + x;
  const Logarithm<V> parts(u);
  // log(1 + x) - log(u), to first order: the rounding error of u.
  const V lost = xsimd::select(parts.k >= V(2), V(1) - (u - x), x - (u - V(1)));
  return log_everywhere(u, parts.value(lost / u));
}

/// tanh|x| = (e^2|x| - 1) / (e^2|x| + 1), with the numerator computed without cancellation: one
/// exponential, no second case for small arguments, exact for tiny ones, odd.
/// Max error: float 2.5 ulp, double 2.5 ulp. Valid range: all.
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

/// float: xsimd's; double: the C library's, for xsimd's is off by up to 68 ulp, or NaN for large x.
/// Max error: float 2.5 ulp, double 1.3 ulp. Valid range: all.
template <class V>
V erf(V x) {
  if constexpr (sizeof(Scalar<V>) == 4) {
    return xsimd::select(xsimd::isnan(x), x, xsimd::erf(x));
  } else {
    return by_lane([](auto lane) { return std::erf(lane); }, x);
  }
}

/// 1 - erf(x) without cancellation. float: (1 + 2x) e^(x^2) erfc(x) is a polynomial
/// in (x - 2) / (x + 2) for x >= 0 (Shepherd & Laframboise 1981; our own coefficients, for x <=
/// 10.1, where the result rounds to 0).
/// Max error: float 4.9 ulp, double 4 ulp. Valid range: all.
template <class V>
V erfc(V x) {
  if constexpr (sizeof(Scalar<V>) == 4) {
    const V a = limited(xsimd::abs(x), 0.0f, 10.1f);
    const V q = (a - V(2)) / (a + V(2));
    V p(2.16677893182e-5f);
    for (const float c :
         {-3.73059067536e-4f, -1.25137480682e-3f, 1.28244249783e-3f, 8.63949147122e-3f,
          -8.04796595932e-3f, -5.42057216994e-2f, 1.64053647444e-1f, -1.66031297493e-1f,
          -9.27639169344e-2f, 2.76978391144e-1f}) {
      p = simd::fma(p, q, V(c));
    }
    const V scaled = (V(1) + p) / (V(1) + (a + a));
    // a^2 = h^2 + (a - h)(a + h), where h has so few digits that its square is exact: rounding a^2
    // would cost e^(-a^2) two digits.
    const V shift(49152.0f);  // 1.5 * 2^15: h is a multiple of 2^-8
    const V h = (a + shift) - shift;
    const V e = simd::exp(-(h * h));
    const V r = (h - a) * (a + h);  // at most 0.04
    V t(1.0f / 24);
    for (const float c : {1.0f / 6, 0.5f, 1.0f}) {
      t = simd::fma(t, r, V(c));
    }
    const V result = scaled * simd::fma(e, t * r, e);
    return xsimd::select(x < V(0), V(2) - result, result);
  } else {
    return by_lane([](auto lane) { return std::erfc(lane); }, x);
  }
}

/// 1 / (1 + e^-x); 0 where that is below the normal range.
/// Max error: float 2.6 ulp, double 2.6 ulp. Valid range: float [-87.3, inf], double [-708, inf].
template <class V>
V sigmoid(V x) {
  return V(1) / (V(1) + exp_normal(-x));
}

/// log(1 + e^x) without overflow.
/// Max error: float 1.7 ulp, double 1.7 ulp. Valid range: all.
template <class V>
V softplus(V x) {
  // Qualified, because argument-dependent lookup would find xsimd's exp.
  return maximum(x, V(0)) + simd::log1p(simd::exp(-xsimd::abs(x)));
}

/// The C library's: exp(y log(x)) would multiply the logarithm's error by y, and xsimd's pow(0, 0)
/// is 0. Unlike in C, NaN whenever an operand is.
/// Max error: float 1 ulp, double 1 ulp. Valid range: all.
template <class V>
V pow(V x, V y) {
  const V power = by_lane([](auto base, auto exponent) { return std::pow(base, exponent); }, x, y);
  return xsimd::select(xsimd::isnan(x) | xsimd::isnan(y), x + y, power);
}

/// The number of lanes as a constant, so that the compiler knows that all are used.
template <class T>
using AllLanes = std::integral_constant<std::size_t, Batch<T>::size>;

template <class T>
Batch<T> load_part(const T* from, AllLanes<T>) {
  return Batch<T>::load_unaligned(from);
}
/// Loads `n` <= lanes elements; the other lanes hold 0.
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
