#pragma once
// The pointwise functions with what they and their derivatives should give, in long double. The
// tests of values, of derivatives at special numbers and of messages walk them.

#include <cmath>
#include <limits>
#include <optional>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

#include "simd_bounds.hpp"

namespace rw::testing {

using Real = long double;

/// The kind of error bound of a derivative. relative: digits of the derivative. exponent: digits,
/// less those that x^2 loses in the exponent of e^(-x^2). absolute: digits of 1, if the derivative
/// is computed from the result, which has rounded to 1, as in 1 - tanh(x)^2. argument: digits of x,
/// if such a number is multiplied by x.
enum class Accuracy { relative, exponent, absolute, argument };

struct Interval {
  double low;
  double high;
};

/// The first and second derivative of a function of one number, and where they are defined.
struct Derivatives {
  Real (*first)(Real);
  Real (*second)(Real);
  Accuracy of_first = Accuracy::relative;
  Accuracy of_second = Accuracy::relative;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// A function of one number, its derivatives, the expected results, and the allowed error.
struct Unary {
  const char* name;
  Tensor (*function)(const Tensor&);
  Real (*oracle)(Real);
  Derivatives derivatives;
  Interval drawn;                    // range of random arguments
  std::optional<double> bound = {};  // in ulp; none: the bound in simd.hpp
  // Measured in units of the argument's last place, because the result cancels.
  bool against_argument = false;
  bool passes_nan = true;
};

/// The allowed error of a row in type T.
template <class T, class Row>
double bound_of(const Row& row) {
  return row.bound.has_value() ? *row.bound : stated_bound(row.name, dtype_of<T>).ulp;
}

inline Real softplus_oracle(Real x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}
inline Real gelu_oracle(Real x) {
  return x == -std::numeric_limits<Real>::infinity()
             ? 0
             : x / 2 * std::erfc(x * -0.70710678118654752440L);
}
inline Real silu_oracle(Real x) { return std::isinf(x) && x < 0 ? 0 : x / (1 + std::exp(-x)); }
inline Real sigmoid_oracle(Real x) { return 1 / (1 + std::exp(-x)); }
inline Real clamp_oracle(Real x) { return x < -0.5L ? -0.5L : x > 1 ? 1 : x; }
inline Real sign_oracle(Real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

inline Real zero(Real) { return 0; }
inline Real sigmoid_slope(Real x) {
  const Real e = std::exp(-std::abs(x));
  return e / ((1 + e) * (1 + e));
}
inline Real sigmoid_curvature(Real x) { return -sigmoid_slope(x) * std::tanh(x / 2); }
inline Real silu_slope(Real x) {
  return sigmoid_oracle(x) + (std::isinf(x) ? 0 : x * sigmoid_slope(x));
}
inline Real silu_curvature(Real x) {
  return std::isinf(x) ? 0 : 2 * sigmoid_slope(x) + x * sigmoid_curvature(x);
}
/// 2 / sqrt(pi) e^(-x^2), and the factor x of its slope left out where that vanishes.
inline Real erf_slope(Real x) { return 1.12837916709551257390L * std::exp(-x * x); }
inline Real erf_curvature(Real x) { return std::isinf(x) ? 0 : -2 * x * erf_slope(x); }
inline Real density(Real x) {
  return std::isinf(x) ? 0 : 0.39894228040143267794L * std::exp(-x * x / 2);
}
inline Real distribution(Real x) { return std::erfc(-x * 0.70710678118654752440L) / 2; }
inline Real gelu_slope(Real x) { return distribution(x) + (std::isinf(x) ? 0 : x * density(x)); }
inline Real gelu_curvature(Real x) { return std::isinf(x) ? 0 : (2 - x * x) * density(x); }

inline const Unary unary_operations[] = {
    {"neg",
     [](const Tensor& x) { return -x; },
     [](Real x) { return -x; },
     {[](Real) -> Real { return -1; }, zero},
     {-9, 9},
     0},
    {"exp",
     [](const Tensor& x) { return exp(x); },
     [](Real x) { return std::exp(x); },
     {[](Real x) { return std::exp(x); }, [](Real x) { return std::exp(x); }},
     {-87, 88}},
    {"expm1",
     [](const Tensor& x) { return expm1(x); },
     [](Real x) { return std::expm1(x); },
     {[](Real x) { return std::exp(x); }, [](Real x) { return std::exp(x); }},
     {-20, 20}},
    {"log",
     [](const Tensor& x) { return log(x); },
     [](Real x) { return std::log(x); },
     {.first = [](Real x) { return 1 / x; }, .second = [](Real x) { return -1 / x / x; }, .low = 0},
     {0, 20}},
    {"log1p",
     [](const Tensor& x) { return log1p(x); },
     [](Real x) { return std::log1p(x); },
     {.first = [](Real x) { return 1 / (1 + x); },
      .second = [](Real x) { return -1 / (1 + x) / (1 + x); },
      .low = -1},
     {-1, 20}},
    {"sqrt",
     [](const Tensor& x) { return sqrt(x); },
     [](Real x) { return std::sqrt(x); },
     {.first = [](Real x) { return 0.5L / std::sqrt(x); },
      .second = [](Real x) { return -0.25L / x / std::sqrt(x); },
      .low = 0},
     {0, 20},
     0.51},
    {"sign", [](const Tensor& x) { return sign(x); }, sign_oracle, {zero, zero}, {-9, 9}},
    {"abs",
     [](const Tensor& x) { return abs(x); },
     [](Real x) { return std::abs(x); },
     {[](Real x) -> Real { return x > 0   ? 1
                                  : x < 0 ? -1
                                          : 0; }, zero},
     {-9, 9},
     0},
    {"sin",
     [](const Tensor& x) { return sin(x); },
     [](Real x) { return std::sin(x); },
     {[](Real x) { return std::cos(x); }, [](Real x) { return -std::sin(x); }, Accuracy::absolute,
      Accuracy::absolute, -1e4, 1e4},
     {-50, 50},
     4},
    {"cos",
     [](const Tensor& x) { return cos(x); },
     [](Real x) { return std::cos(x); },
     {[](Real x) { return -std::sin(x); }, [](Real x) { return -std::cos(x); }, Accuracy::absolute,
      Accuracy::absolute, -1e4, 1e4},
     {-50, 50},
     4},
    {"atan",
     [](const Tensor& x) { return atan(x); },
     [](Real x) { return std::atan(x); },
     {[](Real x) { return 1 / (1 + x * x); },
      [](Real x) { return std::isinf(x) ? 0 : -2 * x / (1 + x * x) / (1 + x * x); }},
     {-50, 50},
     4},
    {"tanh",
     [](const Tensor& x) { return tanh(x); },
     [](Real x) { return std::tanh(x); },
     {[](Real x) { return 1 / std::cosh(x) / std::cosh(x); },
      [](Real x) { return -2 * std::tanh(x) / std::cosh(x) / std::cosh(x); }, Accuracy::absolute,
      Accuracy::absolute},
     {-10, 10}},
    {"sigmoid",
     [](const Tensor& x) { return sigmoid(x); },
     sigmoid_oracle,
     {sigmoid_slope, sigmoid_curvature, Accuracy::absolute, Accuracy::absolute},
     {-80, 80}},
    {"softplus",
     [](const Tensor& x) { return softplus(x); },
     softplus_oracle,
     {sigmoid_oracle, sigmoid_slope, Accuracy::relative, Accuracy::absolute},
     {-80, 80}},
    {"relu",
     [](const Tensor& x) { return relu(x); },
     [](Real x) { return x <= 0 ? 0 : x; },
     {[](Real x) -> Real { return x > 0; }, zero},
     {-9, 9}},
    {"erf",
     [](const Tensor& x) { return erf(x); },
     [](Real x) { return std::erf(x); },
     {erf_slope, erf_curvature, Accuracy::exponent, Accuracy::exponent},
     {-6, 6}},
    {"erfc",
     [](const Tensor& x) { return erfc(x); },
     [](Real x) { return std::erfc(x); },
     {[](Real x) { return -erf_slope(x); }, [](Real x) { return -erf_curvature(x); },
      Accuracy::exponent, Accuracy::exponent},
     {-6, 27}},
    {"square",
     [](const Tensor& x) { return square(x); },
     [](Real x) { return x * x; },
     {[](Real x) { return 2 * x; }, [](Real) -> Real { return 2; }},
     {-9, 9},
     0.51},
    {"leaky_relu",
     [](const Tensor& x) { return leaky_relu(x, 0.25); },
     [](Real x) { return x > 0 ? x : 0.25L * x; },
     {[](Real x) { return x > 0 ? 1 : 0.25L; }, zero},
     {-9, 9},
     0.51},
    {"elu",
     [](const Tensor& x) { return elu(x, 1.5); },
     [](Real x) { return x > 0 ? x : 1.5L * std::expm1(x); },
     {[](Real x) { return x > 0 ? 1 : 1.5L * std::exp(x); },
      [](Real x) { return x > 0 ? 0 : 1.5L * std::exp(x); }},
     {-9, 9},
     4},
    {"gelu",
     [](const Tensor& x) { return gelu(x); },
     gelu_oracle,
     {gelu_slope, gelu_curvature, Accuracy::exponent, Accuracy::exponent},
     {-9, 9},
     4,
     true},
    {"silu",
     [](const Tensor& x) { return silu(x); },
     silu_oracle,
     {silu_slope, silu_curvature, Accuracy::argument, Accuracy::argument},
     {-80, 80},
     4,
     true},
    {"floor",
     [](const Tensor& x) { return floor(x); },
     [](Real x) { return std::floor(x); },
     {zero, zero},
     {-9, 9},
     0},
    {"round",
     [](const Tensor& x) { return round(x); },
     [](Real x) { return std::nearbyint(x); },
     {zero, zero},
     {-9, 9},
     0},
    {"isfinite",
     [](const Tensor& x) { return isfinite(x); },
     [](Real x) -> Real { return std::isfinite(x); },
     {zero, zero},
     {-9, 9},
     0,
     false,
     false},
    {"clamp",
     [](const Tensor& x) { return clamp(x, -0.5, 1.0); },
     clamp_oracle,
     {[](Real x) -> Real { return -0.5L <= x && x <= 1; }, zero},
     {-3, 3},
     0},
};

/// The same for two numbers.
struct Binary {
  const char* name;
  Tensor (*function)(const Tensor&, const Tensor&);
  Real (*oracle)(Real, Real);
  std::optional<double> bound = {};
};

inline Real larger(Real a, Real b) { return a > b || std::isnan(a) ? a : b; }
inline Real smaller(Real a, Real b) { return a < b || std::isnan(a) ? a : b; }
inline Real power(Real a, Real b) {
  return std::isnan(a) || std::isnan(b) ? a + b : std::pow(a, b);
}

inline const Binary binary_operations[] = {
    {"add", [](const Tensor& a, const Tensor& b) { return a + b; },
     [](Real a, Real b) { return a + b; }, 0.51},
    {"sub", [](const Tensor& a, const Tensor& b) { return a - b; },
     [](Real a, Real b) { return a - b; }, 0.51},
    {"mul", [](const Tensor& a, const Tensor& b) { return a * b; },
     [](Real a, Real b) { return a * b; }, 0.51},
    {"div", [](const Tensor& a, const Tensor& b) { return a / b; },
     [](Real a, Real b) { return a / b; }, 0.51},
    {"pow", [](const Tensor& a, const Tensor& b) { return pow(a, b); }, power},
    {"maximum", [](const Tensor& a, const Tensor& b) { return maximum(a, b); }, larger},
    {"minimum", [](const Tensor& a, const Tensor& b) { return minimum(a, b); }, smaller},
    {"less", [](const Tensor& a, const Tensor& b) { return a < b; },
     [](Real a, Real b) { return Real(a < b); }, 0},
    {"less_equal", [](const Tensor& a, const Tensor& b) { return a <= b; },
     [](Real a, Real b) { return Real(a <= b); }, 0},
    {"equal", [](const Tensor& a, const Tensor& b) { return equal(a, b); },
     [](Real a, Real b) { return Real(a == b); }, 0},
    {"not_equal", [](const Tensor& a, const Tensor& b) { return not_equal(a, b); },
     [](Real a, Real b) { return Real(a != b); }, 0},
    {"where", [](const Tensor& a, const Tensor& b) { return where(a, b, 2.0); },
     [](Real a, Real b) { return a != 0 ? b : 2; }, 0},
};

}  // namespace rw::testing
