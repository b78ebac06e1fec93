// The SIMD functions keep the error bounds that autograd/kernels/simd.hpp states, over dense sweeps
// of all numbers, and each of them states one.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/kernels/simd.hpp>

#include "support/simd_bounds.hpp"
#include "support/ulp.hpp"

namespace {

using namespace rw::testing;
namespace simd = rw::simd;

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// The next wider type, in which the exact result is computed.
template <class T>
using Wider = std::conditional_t<sizeof(T) == 4, double, long double>;

/// Zeros, the ends of the normal and of the subnormal range, infinities.
template <class T>
std::vector<T> special_numbers() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> all;
  for (const T x : {T(0), Limits::denorm_min(), Limits::min(), T(0.5), T(1), Limits::epsilon(),
                    std::nextafter(T(1), T(0)), Limits::max(), Limits::infinity()}) {
    all.push_back(x);
    all.push_back(-x);
  }
  return all;
}

/// Calls `body(x)` for the special numbers, the ends of the range, and numbers of every exponent
/// and sign: most from 2^-24 to 2^9, where the functions change most.
template <class T, class Body>
void for_each_number(const ErrorBound& range, Body&& body) {
  const auto within = [&](T x) {
    if (x >= range.low && x <= range.high) {
      body(x);
    }
  };
  for (const T x : special_numbers<T>()) {
    within(x);
  }
  within(static_cast<T>(range.low));
  within(static_cast<T>(range.high));
  constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  constexpr int bias = std::numeric_limits<T>::max_exponent - 1;
  std::mt19937_64 engine(1);
  for (int exponent = 0; exponent < 2 * bias + 1; ++exponent) {
    const bool bends = exponent >= bias - 24 && exponent < bias + 9;
    const int count = sizeof(T) == 4 ? (bends ? 100'000 : 2'000) : (bends ? 20'000 : 200);
    const BitsOf<T> step = (BitsOf<T>(1) << mantissa) / static_cast<BitsOf<T>>(count);
    for (BitsOf<T> i = 0; i < static_cast<BitsOf<T>>(count); ++i) {
      // One random number of every interval of neighbours.
      const BitsOf<T> bits = (static_cast<BitsOf<T>>(exponent) << mantissa) | i * step |
                             static_cast<BitsOf<T>>(engine() % step);
      const T x = std::bit_cast<T>(bits);
      within(x);
      within(-x);
    }
  }
}

/// The largest error of `function` in units in the last place, and where it occurs.
template <class T>
struct Worst {
  double error = 0;
  T x = 0;
  T y = 0;
};

/// Collects arguments until they fill a register.
template <class T, class Function, class Oracle>
class Sweep {
 public:
  Sweep(Function function, Oracle oracle) : function_(function), oracle_(oracle) {}

  void add(T x, T y = 0) {
    x_[filled_] = x;
    y_[filled_] = y;
    if (++filled_ == lanes) {
      run();
    }
  }
  Worst<T> worst() {
    run();
    return worst_;
  }

 private:
  using V = simd::Batch<T>;
  static constexpr std::size_t lanes = V::size;

  void run() {
    alignas(64) T results[lanes];
    const V x = V::load_aligned(x_);
    if constexpr (std::is_invocable_v<Function, V>) {
      function_(x).store_aligned(results);
    } else {
      function_(x, V::load_aligned(y_)).store_aligned(results);
    }
    for (std::size_t i = 0; i < filled_; ++i) {
      Wider<T> want;
      if constexpr (std::is_invocable_v<Function, V>) {
        want = oracle_(Wider<T>(x_[i]));
      } else {
        want = oracle_(Wider<T>(x_[i]), Wider<T>(y_[i]));
      }
      const double error = ulp_distance<T>(results[i], want);
      if (!(error <= worst_.error)) {
        worst_ = {error, x_[i], y_[i]};
      }
    }
    filled_ = 0;
  }

  Function function_;
  Oracle oracle_;
  alignas(64) T x_[lanes] = {};
  alignas(64) T y_[lanes] = {};
  std::size_t filled_ = 0;
  Worst<T> worst_;
};

std::set<std::string> swept;

template <class T, class Function, class Oracle>
void check(const std::string& name, Function function, Oracle oracle) {
  const ErrorBound bound =
      stated_bound(name, sizeof(T) == 4 ? rw::DType::float32 : rw::DType::float64);
  constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  Sweep<T, Function, Oracle> sweep(function, oracle);
  if constexpr (std::is_invocable_v<Function, simd::Batch<T>>) {
    for_each_number<T>(bound, [&](T x) { sweep.add(x); });
    sweep.add(nan);
  } else {
    const std::vector<T> specials = special_numbers<T>();
    for (const T x : specials) {
      for (const T y : specials) {
        sweep.add(x, y);
      }
      sweep.add(x, nan);
      sweep.add(nan, x);
    }
    std::mt19937_64 engine(2);
    std::uniform_real_distribution<double> exponent(-30, 30);
    std::uniform_real_distribution<double> factor(-4, 4);
    for (int i = 0; i < 500'000; ++i) {
      sweep.add(static_cast<T>(std::exp2(exponent(engine))), static_cast<T>(factor(engine)));
    }
  }
  const Worst<T> worst = sweep.worst();
  fmt::print("{:>12} float{} {:8.4f} of {:.4g} ulp\n", name, 8 * sizeof(T), worst.error, bound.ulp);
  BOOST_TEST(worst.error <= bound.ulp, name << "(" << worst.x << ", " << worst.y << ")");
}

template <class Function, class Oracle>
void check(const std::string& name, Function function, Oracle oracle) {
  swept.insert(name);
  check<float>(name, function, oracle);
  check<double>(name, function, oracle);
}

}  // namespace

BOOST_AUTO_TEST_CASE(largest_errors_are_within_what_is_stated) {
  check(
      "negate", [](auto x) { return simd::negate(x); }, [](auto x) { return -x; });
  check(
      "relu", [](auto x) { return simd::relu(x); }, [](auto x) { return x <= 0 ? 0 : x; });
  check(
      "sign", [](auto x) { return simd::sign(x); },
      [](auto x) { return x > 0   ? 1
                          : x < 0 ? -1
                                  : x; });
  check(
      "exp", [](auto x) { return simd::exp(x); }, [](auto x) { return std::exp(x); });
  check(
      "exp_normal", [](auto x) { return simd::exp_normal(x); }, [](auto x) { return std::exp(x); });
  check(
      "expm1", [](auto x) { return simd::expm1(x); }, [](auto x) { return std::expm1(x); });
  check(
      "log", [](auto x) { return simd::log(x); }, [](auto x) { return std::log(x); });
  check(
      "log1p", [](auto x) { return simd::log1p(x); }, [](auto x) { return std::log1p(x); });
  check(
      "tanh", [](auto x) { return simd::tanh(x); }, [](auto x) { return std::tanh(x); });
  check(
      "erf", [](auto x) { return simd::erf(x); }, [](auto x) { return std::erf(x); });
  check(
      "erfc", [](auto x) { return simd::erfc(x); }, [](auto x) { return std::erfc(x); });
  check(
      "sigmoid", [](auto x) { return simd::sigmoid(x); },
      [](auto x) { return 1 / (1 + std::exp(-x)); });
  check(
      "softplus", [](auto x) { return simd::softplus(x); },
      [](auto x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); });
  check(
      "maximum", [](auto a, auto b) { return simd::maximum(a, b); },
      [](auto a, auto b) { return a > b || std::isnan(a) ? a : b; });
  check(
      "minimum", [](auto a, auto b) { return simd::minimum(a, b); },
      [](auto a, auto b) { return a < b || std::isnan(a) ? a : b; });
  check(
      "pow", [](auto x, auto y) { return simd::pow(x, y); },
      [](auto x, auto y) { return std::isnan(x) || std::isnan(y) ? x + y : std::pow(x, y); });

  for (const SimdFunction& function : simd_functions()) {
    BOOST_TEST(function.single.has_value(), "no line \"Max error: ...\" above " << function.name);
    BOOST_TEST(swept.contains(function.name), function.name << " is not swept above");
  }
}
