#pragma once
// The basic pointwise functions. Each works on tensors, parameters and numbers (broadcasting as in
// NumPy) and, inside a fused lambda, on its symbols.

#include <initializer_list>

#include <rewind/autograd/fuse/expression.hpp>
#include <rewind/autograd/tape/operand.hpp>

namespace rw {

namespace detail {

/// Applies operation number `operation` of pointwise::Operations to tensors.
Tensor apply_pointwise(std::uint8_t operation, std::initializer_list<Operand> operands);

template <class... A>
concept SomeSymbol = (std::same_as<A, Symbol> || ...) &&
                     (std::convertible_to<const A&, Symbol> && ...);
template <class... A>
concept SomeTensor = (TensorLike<A> || ...) && ((TensorLike<A> || std::is_arithmetic_v<A>)&&...);
/// Arguments of a pointwise function: tensors and numbers with a tensor among them, or symbols and
/// numbers.
template <class... A>
concept Pointwise = SomeSymbol<A...> || SomeTensor<A...>;

template <class Operation, class... A>
constexpr auto call(const A&... arguments) {
  if constexpr (SomeSymbol<A...>) {
    return pointwise::apply<Operation>(Symbol(arguments)...);
  } else {
    return apply_pointwise(pointwise::index_of<Operation>(), {Operand(arguments)...});
  }
}

}  // namespace detail

using detail::Pointwise;
using detail::SomeTensor;

// clang-format off

template <SomeTensor A> auto operator-(const A& x) { return detail::call<pointwise::Negate>(x); }
template <class A, class B> requires SomeTensor<A, B>
auto operator+(const A& a, const B& b) { return detail::call<pointwise::Add>(a, b); }
template <class A, class B> requires SomeTensor<A, B>
auto operator-(const A& a, const B& b) { return detail::call<pointwise::Subtract>(a, b); }
template <class A, class B> requires SomeTensor<A, B>
auto operator*(const A& a, const B& b) { return detail::call<pointwise::Multiply>(a, b); }
template <class A, class B> requires SomeTensor<A, B>
auto operator/(const A& a, const B& b) { return detail::call<pointwise::Divide>(a, b); }

// x += y is x = x + y: the handle then refers to a new tensor. Other handles to the old one, saved
// tensors and parameters keep their values; nothing is overwritten.
template <class B> requires SomeTensor<Tensor, B>
Tensor& operator+=(Tensor& x, const B& y) { return x = x + y; }
template <class B> requires SomeTensor<Tensor, B>
Tensor& operator-=(Tensor& x, const B& y) { return x = x - y; }
template <class B> requires SomeTensor<Tensor, B>
Tensor& operator*=(Tensor& x, const B& y) { return x = x * y; }
template <class B> requires SomeTensor<Tensor, B>
Tensor& operator/=(Tensor& x, const B& y) { return x = x / y; }

// Comparisons give 1 where they hold and 0 elsewhere, in the type of their operands; their gradient is zero.
template <class A, class B> requires Pointwise<A, B>
constexpr auto operator<(const A& a, const B& b) { return detail::call<pointwise::Less>(a, b); }
template <class A, class B> requires Pointwise<A, B>
constexpr auto operator>(const A& a, const B& b) { return detail::call<pointwise::Less>(b, a); }
template <class A, class B> requires Pointwise<A, B>
constexpr auto operator<=(const A& a, const B& b) { return detail::call<pointwise::LessEqual>(a, b); }
template <class A, class B> requires Pointwise<A, B>
constexpr auto operator>=(const A& a, const B& b) { return detail::call<pointwise::LessEqual>(b, a); }
template <class A, class B> requires Pointwise<A, B>
constexpr auto equal(const A& a, const B& b) { return detail::call<pointwise::Equal>(a, b); }
template <class A, class B> requires Pointwise<A, B>
constexpr auto not_equal(const A& a, const B& b) { return detail::call<pointwise::NotEqual>(a, b); }

/// e^x.
template <Pointwise A> constexpr auto exp(const A& x) { return detail::call<pointwise::Exp>(x); }
/// e^x - 1, exact near 0.
template <Pointwise A> constexpr auto expm1(const A& x) { return detail::call<pointwise::Expm1>(x); }
/// Natural logarithm; log(1) is exactly 0, log(0) is -infinity, NaN below.
template <Pointwise A> constexpr auto log(const A& x) { return detail::call<pointwise::Log>(x); }
/// log(1 + x), exact near 0.
template <Pointwise A> constexpr auto log1p(const A& x) { return detail::call<pointwise::Log1p>(x); }
template <Pointwise A> constexpr auto sqrt(const A& x) { return detail::call<pointwise::Sqrt>(x); }
/// |x|; gradient 0 at 0.
template <Pointwise A> constexpr auto abs(const A& x) { return detail::call<pointwise::Abs>(x); }
/// -1, 0 or 1.
template <Pointwise A> constexpr auto sign(const A& x) { return detail::call<pointwise::Sign>(x); }
template <Pointwise A> constexpr auto sin(const A& x) { return detail::call<pointwise::Sin>(x); }
template <Pointwise A> constexpr auto cos(const A& x) { return detail::call<pointwise::Cos>(x); }
/// The angle in radians, from -pi / 2 to pi / 2, whose tangent is x.
template <Pointwise A> constexpr auto atan(const A& x) { return detail::call<pointwise::Atan>(x); }
template <Pointwise A> constexpr auto tanh(const A& x) { return detail::call<pointwise::Tanh>(x); }
/// 1 / (1 + e^-x).
template <Pointwise A> constexpr auto sigmoid(const A& x) { return detail::call<pointwise::Sigmoid>(x); }
/// log(1 + e^x), without overflow.
template <Pointwise A> constexpr auto softplus(const A& x) { return detail::call<pointwise::Softplus>(x); }
/// max(x, 0); gradient 0 at 0, NaN stays NaN.
template <Pointwise A> constexpr auto relu(const A& x) { return detail::call<pointwise::Relu>(x); }
/// Gauss's error function.
template <Pointwise A> constexpr auto erf(const A& x) { return detail::call<pointwise::Erf>(x); }
/// 1 - erf(x), also exact far above 0.
template <Pointwise A> constexpr auto erfc(const A& x) { return detail::call<pointwise::Erfc>(x); }
/// The largest whole number not above x; its gradient is zero, like that of round.
template <Pointwise A> constexpr auto floor(const A& x) { return detail::call<pointwise::Floor>(x); }
/// The nearest whole number, ties to even, as std::nearbyint: round(2.5) is 2.
template <Pointwise A> constexpr auto round(const A& x) { return detail::call<pointwise::Round>(x); }
/// 1 where x is a finite number, 0 where it is infinite or NaN.
template <Pointwise A> constexpr auto isfinite(const A& x) { return detail::call<pointwise::IsFinite>(x); }
/// x^y, NaN if either is; the gradient of y is defined as 0 where x <= 0.
template <class A, class B> requires Pointwise<A, B>
constexpr auto pow(const A& x, const B& y) { return detail::call<pointwise::Pow>(x, y); }
/// The larger operand; NaN if either is; ties share the gradient.
template <class A, class B> requires Pointwise<A, B>
constexpr auto maximum(const A& a, const B& b) { return detail::call<pointwise::Maximum>(a, b); }
/// The smaller operand; NaN if either is; ties share the gradient.
template <class A, class B> requires Pointwise<A, B>
constexpr auto minimum(const A& a, const B& b) { return detail::call<pointwise::Minimum>(a, b); }
/// a where condition is not zero, else b; the other operand's gradient is zero there.
///
/// In a fused formula the branch that is not taken contributes nothing, even if its value or
/// derivative is not finite: where(x > 0, sqrt(x), 0) has the gradient 0 at 0. On tensors it is a
/// separate operation, which passes that 0 to the operation before, where 0 times an infinite
/// derivative is NaN. There, select the argument first, so that the derivative is finite: `const
/// auto ok = x > 0; where(ok, sqrt(where(ok, x, 1)), 0)`.
template <class C, class A, class B> requires Pointwise<C, A, B>
constexpr auto where(const C& condition, const A& a, const B& b) {
  return detail::call<pointwise::Where>(condition, a, b);
}
// clang-format on

// Composed functions, each one fused pass on tensors.
constexpr Symbol square(Symbol x) { return x * x; }
constexpr Symbol leaky_relu(Symbol x, Symbol slope) { return where(x > 0, x, slope * x); }
constexpr Symbol elu(Symbol x, Symbol alpha) { return where(x > 0, x, alpha * expm1(x)); }
constexpr Symbol gelu(Symbol x) {
  // Beyond 40 the tail is 0 in any type; times an infinite x it would be NaN.
  const Symbol inside = 0.5 * x * erfc(x * -0.70710678118654752440);
  return where(x > 40, x, where(x < -40, 0, inside));
}
constexpr Symbol silu(Symbol x) {
  // Beyond 1000 sigmoid is 0 or 1 in any type, and its derivative 0; times an infinite x that is
  // NaN.
  return where(x > 1000, x, where(x < -1000, 0, x * sigmoid(x)));
}
constexpr Symbol clamp(Symbol x, Symbol low, Symbol high) {
  return where(x < low, low, where(x > high, high, x));
}

/// x^2.
Tensor square(const Operand& x);
/// x where x > 0, `slope` x elsewhere; the gradient at 0 is `slope`.
Tensor leaky_relu(const Operand& x, double slope = 0.01);
/// x where x > 0, alpha (e^x - 1) elsewhere (Clevert et al. 2016); the gradient at 0 is alpha.
Tensor elu(const Operand& x, double alpha = 1.0);
/// x Phi(x), exact, with Phi the normal distribution function (Hendrycks & Gimpel 2016): within
/// about (4 + x^2) ulp, far below 0 as well.
Tensor gelu(const Operand& x);
/// x sigmoid(x), also called swish (Elfwing et al. 2018); 0 at -infinity.
Tensor silu(const Operand& x);
/// x limited to [low, high]; gradient 1 within and at the bounds, 0 outside.
Tensor clamp(const Operand& x, const Operand& low, const Operand& high);

}  // namespace rw
