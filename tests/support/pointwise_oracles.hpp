#pragma once

#include <cmath>
#include <limits>
#include <optional>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

#include "simd_bounds.hpp"

namespace rw::testing {

using Real = long double;

/// A function of one number, its expected result, and the allowed error.
struct Unary {
  const char* name;
  Tensor (*function)(const Tensor&);
  Real (*oracle)(Real);
  double low;  // lower end of the range of random arguments
  double high;
  std::optional<double> bound = {};  // in ulp; none: the bound in simd.hpp
  bool against_argument =
      false;  // measured in units of the argument's last place, because the result cancels
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
inline Real clamp_oracle(Real x) { return x < -0.5L ? -0.5L : x > 1 ? 1 : x; }
inline Real sign_oracle(Real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

inline const Unary unary_operations[] = {
    {"neg", [](const Tensor& x) { return -x; }, [](Real x) { return -x; }, -9, 9, 0},
    {"exp", [](const Tensor& x) { return exp(x); }, [](Real x) { return std::exp(x); }, -87, 88},
    {"expm1", [](const Tensor& x) { return expm1(x); }, [](Real x) { return std::expm1(x); }, -20,
     20},
    {"log", [](const Tensor& x) { return log(x); }, [](Real x) { return std::log(x); }, 0, 20},
    {"log1p", [](const Tensor& x) { return log1p(x); }, [](Real x) { return std::log1p(x); }, -1,
     20},
    {"sqrt", [](const Tensor& x) { return sqrt(x); }, [](Real x) { return std::sqrt(x); }, 0, 20,
     0.51},
    {"sign", [](const Tensor& x) { return sign(x); }, sign_oracle, -9, 9},
    {"abs", [](const Tensor& x) { return abs(x); }, [](Real x) { return std::abs(x); }, -9, 9, 0},
    {"sin", [](const Tensor& x) { return sin(x); }, [](Real x) { return std::sin(x); }, -50, 50, 4},
    {"cos", [](const Tensor& x) { return cos(x); }, [](Real x) { return std::cos(x); }, -50, 50, 4},
    {"tanh", [](const Tensor& x) { return tanh(x); }, [](Real x) { return std::tanh(x); }, -10, 10},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); },
     [](Real x) { return 1 / (1 + std::exp(-x)); }, -80, 80},
    {"softplus", [](const Tensor& x) { return softplus(x); }, softplus_oracle, -80, 80},
    {"relu", [](const Tensor& x) { return relu(x); }, [](Real x) { return x <= 0 ? 0 : x; }, -9, 9},
    {"erf", [](const Tensor& x) { return erf(x); }, [](Real x) { return std::erf(x); }, -6, 6},
    {"erfc", [](const Tensor& x) { return erfc(x); }, [](Real x) { return std::erfc(x); }, -6, 27},
    {"square", [](const Tensor& x) { return square(x); }, [](Real x) { return x * x; }, -9, 9,
     0.51},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.25); },
     [](Real x) { return x > 0 ? x : 0.25L * x; }, -9, 9, 0.51},
    {"elu", [](const Tensor& x) { return elu(x); },
     [](Real x) { return x > 0 ? x : std::expm1(x); }, -9, 9, 4},
    {"gelu", [](const Tensor& x) { return gelu(x); }, gelu_oracle, -9, 9, 4, true},
    {"silu", [](const Tensor& x) { return silu(x); }, silu_oracle, -80, 80, 4, true},
    {"floor", [](const Tensor& x) { return floor(x); }, [](Real x) { return std::floor(x); }, -9, 9,
     0},
    {"round", [](const Tensor& x) { return round(x); }, [](Real x) { return std::nearbyint(x); },
     -9, 9, 0},
    {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 1.0); }, clamp_oracle, -3, 3, 0},
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
