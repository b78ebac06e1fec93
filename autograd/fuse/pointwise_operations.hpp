#pragma once
// The pointwise operations, each with its value and its gradient in one place.
//
// `value(x...)` computes one register; `adjoint(dy, x..., y)` returns, as formulas, what the
// gradient dy of y = op(x...) contributes to each operand's gradient; `cheap` means that
// recomputing the value costs less than keeping it. To add an operation, write its struct below,
// list it in `Operations` (expression.hpp), and add its function to math.hpp.

#include <limits>

#include <rewind/autograd/fuse/expression.hpp>
#include <rewind/autograd/kernels/simd.hpp>

namespace rw::pointwise {

/// "No gradient": the operation is constant almost everywhere in this operand.
inline constexpr Symbol none{0.0};

struct Negate {
  static constexpr const char* name = "neg";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V x) {
    return simd::negate(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol, Symbol) { return {-dy}; }
};
struct Add {
  static constexpr const char* name = "add";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V a, V b) {
    return a + b;
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol dy, Symbol, Symbol, Symbol) {
    return {dy, dy};
  }
};
struct Subtract {
  static constexpr const char* name = "sub";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V a, V b) {
    return a - b;
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol dy, Symbol, Symbol, Symbol) {
    return {dy, -dy};
  }
};
struct Multiply {
  static constexpr const char* name = "mul";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V a, V b) {
    return a * b;
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol dy, Symbol a, Symbol b, Symbol) {
    return {dy * b, dy * a};
  }
};
struct Divide {
  static constexpr const char* name = "div";
  template <class V>
  static V value(V a, V b) {
    return a / b;
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol dy, Symbol, Symbol b, Symbol y) {
    return {dy / b, -(dy * y / b)};
  }
};

// Comparisons give 1 where they hold and 0 elsewhere; with a NaN operand only `not_equal` holds.
template <class V>
V as_number(const xsimd::batch_bool<simd::Scalar<V>>& condition) {
  return xsimd::select(condition, V(1), V(0));
}
struct Less {
  static constexpr const char* name = "less";
  template <class V>
  static V value(V a, V b) {
    return as_number<V>(a < b);
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol, Symbol, Symbol, Symbol) {
    return {none, none};
  }
};
struct LessEqual {
  static constexpr const char* name = "less_equal";
  template <class V>
  static V value(V a, V b) {
    return as_number<V>(a <= b);
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol, Symbol, Symbol, Symbol) {
    return {none, none};
  }
};
struct Equal {
  static constexpr const char* name = "equal";
  template <class V>
  static V value(V a, V b) {
    return as_number<V>(a == b);
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol, Symbol, Symbol, Symbol) {
    return {none, none};
  }
};
struct NotEqual {
  static constexpr const char* name = "not_equal";
  template <class V>
  static V value(V a, V b) {
    return as_number<V>(!(a == b));
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol, Symbol, Symbol, Symbol) {
    return {none, none};
  }
};

/// where(condition, a, b): a where the condition is not zero.
struct Where {
  static constexpr const char* name = "where";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V condition, V a, V b) {
    return xsimd::select(condition == V(0), b, a);
  }
  static constexpr std::array<Symbol, 3> adjoint(Symbol dy, Symbol condition, Symbol, Symbol,
                                                 Symbol) {
    return {none, apply<Where>(condition, dy, Symbol(0)), apply<Where>(condition, Symbol(0), dy)};
  }
};

/// The share of one operand in the gradient of maximum or minimum: nothing where the other operand
/// is chosen, half at a tie. Selected instead of multiplied by 0, because dy may be infinite.
constexpr Symbol share(Symbol dy, Symbol other_chosen, Symbol a, Symbol b) {
  return apply<Where>(other_chosen, Symbol(0),
                      apply<Where>(apply<Equal>(a, b), Symbol(0.5) * dy, dy));
}
struct Maximum {
  static constexpr const char* name = "maximum";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V a, V b) {
    return simd::maximum(a, b);
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol dy, Symbol a, Symbol b, Symbol) {
    return {share(dy, apply<Less>(a, b), a, b), share(dy, apply<Less>(b, a), a, b)};
  }
};
struct Minimum {
  static constexpr const char* name = "minimum";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V a, V b) {
    return simd::minimum(a, b);
  }
  static constexpr std::array<Symbol, 2> adjoint(Symbol dy, Symbol a, Symbol b, Symbol) {
    return {share(dy, apply<Less>(b, a), a, b), share(dy, apply<Less>(a, b), a, b)};
  }
};

struct Exp {
  static constexpr const char* name = "exp";
  template <class V>
  static V value(V x) {
    return simd::exp(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol, Symbol y) { return {dy * y}; }
};
struct Expm1 {
  static constexpr const char* name = "expm1";
  template <class V>
  static V value(V x) {
    return simd::expm1(x);
  }
  // Not dy (y + 1), which loses all digits far below 0.
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {dy * apply<Exp>(x)};
  }
};
struct Log {
  static constexpr const char* name = "log";
  template <class V>
  static V value(V x) {
    return simd::log(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) { return {dy / x}; }
};
struct Log1p {
  static constexpr const char* name = "log1p";
  template <class V>
  static V value(V x) {
    return simd::log1p(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {dy / (x + 1)};
  }
};
struct Sqrt {
  static constexpr const char* name = "sqrt";
  template <class V>
  static V value(V x) {
    return xsimd::sqrt(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol, Symbol y) {
    return {Symbol(0.5) * dy / y};
  }
};
struct Sign {
  static constexpr const char* name = "sign";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V x) {
    return simd::sign(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol, Symbol, Symbol) { return {none}; }
};
struct Abs {
  static constexpr const char* name = "abs";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V x) {
    return xsimd::abs(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {dy * apply<Sign>(x)};
  }
};
struct Sin {
  static constexpr const char* name = "sin";
  template <class V>
  static V value(V x) {
    return xsimd::sin(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {dy * apply<Cos>(x)};
  }
};
struct Cos {
  static constexpr const char* name = "cos";
  template <class V>
  static V value(V x) {
    return xsimd::cos(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {-(dy * apply<Sin>(x))};
  }
};
struct Atan {
  static constexpr const char* name = "atan";
  template <class V>
  static V value(V x) {
    return xsimd::atan(x);
  }
  // 0 where x^2 is infinite, and x replaced by 1 there: the next derivative would multiply an
  // infinite x by 0.
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    const Symbol flat = apply<Equal>(x * x, Symbol(std::numeric_limits<double>::infinity()));
    const Symbol u = apply<Where>(flat, Symbol(1), x);
    return {apply<Where>(flat, Symbol(0), dy / (1 + u * u))};
  }
};
struct Tanh {
  static constexpr const char* name = "tanh";
  template <class V>
  static V value(V x) {
    return simd::tanh(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol, Symbol y) {
    return {dy * (1 - y * y)};
  }
};
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  template <class V>
  static V value(V x) {
    return simd::sigmoid(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol, Symbol y) {
    return {dy * (y * (1 - y))};
  }
};
struct Softplus {
  static constexpr const char* name = "softplus";
  template <class V>
  static V value(V x) {
    return simd::softplus(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {dy * apply<Sigmoid>(x)};
  }
};
struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V x) {
    return simd::relu(x);
  }
  // The gradient at 0 is 0; NaN stays NaN.
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {apply<Where>(apply<LessEqual>(x, Symbol(0)), Symbol(0),
                         apply<Where>(apply<Less>(Symbol(0), x), dy, x))};
  }
};
/// The derivative of erf, 2 / sqrt(pi) e^(-x^2). Where x^2 >= 900 it is 0 in any type, and x is
/// replaced by 30: the next derivative would multiply an infinite x by 0.
constexpr Symbol erf_slope(Symbol x) {
  const Symbol u = apply<Where>(apply<LessEqual>(Symbol(900), x * x), Symbol(30), x);
  return Symbol(1.12837916709551257390) * apply<Exp>(-(u * u));
}
struct Erf {
  static constexpr const char* name = "erf";
  template <class V>
  static V value(V x) {
    return simd::erf(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {dy * erf_slope(x)};
  }
};
struct Erfc {
  static constexpr const char* name = "erfc";
  template <class V>
  static V value(V x) {
    return simd::erfc(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol dy, Symbol x, Symbol) {
    return {-(dy * erf_slope(x))};
  }
};
struct Pow {
  static constexpr const char* name = "pow";
  template <class V>
  static V value(V x, V y) {
    return simd::pow(x, y);
  }
  // y x^(y-1) is 0 times infinity only where y = 0 and 1 / x is infinite: x^0 is constant in x, but
  // its derivative is not constant in y. x^y log x is defined as 0 where x <= 0, its limit as x
  // tends to 0 (for x < 0, y must be a constant integer), and is 0 where x is infinite and y < 0.
  // Operands are selected, and not only results, so that second derivatives are finite.
  static constexpr std::array<Symbol, 2> adjoint(Symbol dy, Symbol x, Symbol y, Symbol z) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const Symbol flat = apply<Where>(apply<Equal>(y, Symbol(0)),
                                     apply<Equal>(apply<Abs>(1 / x), Symbol(infinity)), Symbol(0));
    const Symbol by_x = y * apply<Pow>(apply<Where>(flat, Symbol(1), x), y - 1);
    const Symbol grows = apply<Where>(
        apply<Less>(Symbol(0), x),
        apply<Where>(apply<Equal>(x, Symbol(infinity)), apply<LessEqual>(Symbol(0), y), Symbol(1)),
        Symbol(0));
    const Symbol by_y =
        apply<Where>(grows, z, Symbol(0)) * apply<Log>(apply<Where>(grows, x, Symbol(1)));
    return {apply<Where>(flat, Symbol(0), dy * by_x), apply<Where>(grows, dy * by_y, Symbol(0))};
  }
};

struct Floor {
  static constexpr const char* name = "floor";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V x) {
    return xsimd::floor(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol, Symbol, Symbol) { return {none}; }
};
struct Round {
  static constexpr const char* name = "round";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V x) {
    return xsimd::nearbyint(x);
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol, Symbol, Symbol) { return {none}; }
};
struct IsFinite {
  static constexpr const char* name = "isfinite";
  static constexpr bool cheap = true;
  template <class V>
  static V value(V x) {
    return as_number<V>(xsimd::abs(x) < V(std::numeric_limits<simd::Scalar<V>>::infinity()));
  }
  static constexpr std::array<Symbol, 1> adjoint(Symbol, Symbol, Symbol) { return {none}; }
};

/// Number of operands of an operation, from the signature of `adjoint`.
template <class Operation>
inline constexpr std::size_t arity = [] {
  if constexpr (requires { Operation::adjoint(none, none, none); }) {
    return std::size_t{1};
  } else if constexpr (requires { Operation::adjoint(none, none, none, none); }) {
    return std::size_t{2};
  } else {
    return std::size_t{3};
  }
}();

/// Operations whose result costs more to recompute than to keep: those without `cheap`.
template <class Operation>
inline constexpr bool is_costly = !requires {
  Operation::cheap;
};

/// Calls `body.template operator()<Operation>()` for the operation at `index`.
template <class Body>
constexpr void visit_operation(std::uint8_t index, Body&& body) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    static_cast<void>(
        ((index == I && (body.template operator()<Operations::at<I>>(), true)) || ...));
  }
  (std::make_index_sequence<Operations::size>{});
}

constexpr bool is_costly_term(const Term& term) {
  bool costly = false;
  if (term.kind == Term::Kind::operation) {
    visit_operation(term.operation, [&]<class Operation>() { costly = is_costly<Operation>; });
  }
  return costly;
}

/// The terms of a formula, weighted by their approximate cost relative to an addition.
constexpr std::uint32_t work_of(const Program& program) {
  std::uint32_t work = 0;
  for (std::size_t i = 0; i < program.size; ++i) {
    work += is_costly_term(program.terms[i]) ? 8U : 1U;
  }
  return work;
}

}  // namespace rw::pointwise
