#pragma once
// Formulas as compile-time values: the compiler runs a captureless generic lambda once on symbols,
// which yields a list of terms. Its derivative is another such list, made by an ordinary constexpr
// function. Equal terms are stored once.

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

namespace rw {
namespace pointwise {

inline constexpr std::size_t max_terms = 384;
inline constexpr std::size_t max_arguments = 16;

/// One step of a formula: an argument, a constant, or an operation on earlier terms.
struct Term {
  enum class Kind : std::uint8_t { argument, constant, operation };
  Kind kind = Kind::constant;
  std::uint8_t operation = 0;               // position in the list of operations
  std::int16_t operands[3] = {-1, -1, -1};  // earlier terms; for an argument its number
  double value = 0;

  constexpr bool operator==(const Term&) const = default;
};

/// A formula: terms in the order of evaluation, and which of them are the results.
struct Program {
  std::array<Term, max_terms> terms{};
  std::size_t size = 0;
  std::array<std::int16_t, max_arguments> outputs{};
  std::size_t output_count = 0;
  std::size_t argument_count = 0;

  constexpr std::int16_t add(const Term& term) {
    for (std::size_t i = 0; i < size; ++i) {
      if (terms[i] == term) {
        return static_cast<std::int16_t>(i);
      }
    }
    // Out of range here is a compile-time error: the formula has too many terms.
    terms[size] = term;
    return static_cast<std::int16_t>(size++);
  }

  /// Bit k: argument k occurs.
  constexpr std::uint64_t used_arguments() const {
    std::uint64_t used = 0;
    for (std::size_t i = 0; i < size; ++i) {
      if (terms[i].kind == Term::Kind::argument) {
        used |= std::uint64_t{1} << terms[i].operands[0];
      }
    }
    return used;
  }
};

}  // namespace pointwise

/// A value inside a formula while the compiler traces it. Numbers convert to symbols.
class Symbol {
 public:
  constexpr Symbol(double value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  constexpr Symbol(pointwise::Program& program, std::int16_t term)
      : program_(&program), term_(term) {}

  /// These conversions only make `if (x > 0)` and `std::tanh(x)` in a formula a clear error.
  template <std::same_as<bool> B>
  constexpr explicit operator B() const {
    static_assert(
        !std::same_as<B, bool>,
        "fuse: a formula has no `if`, `?:`, `&&`, `||` or `!`, because it is computed for "
        "many elements at once; use where(condition, a, b)");
    return false;
  }
  template <std::same_as<double> D>
  constexpr explicit(false) operator D() const {
    static_assert(!std::same_as<D, double>,
                  "fuse: a formula uses Rewind's own functions, which have derivatives; write "
                  "tanh(x), not std::tanh(x), and see math.hpp for the list");
    return 0;
  }

  constexpr pointwise::Program* program() const { return program_; }
  constexpr bool is_constant() const { return program_ == nullptr; }
  constexpr bool is_constant(double value) const { return is_constant() && value_ == value; }
  constexpr double value() const { return value_; }
  constexpr std::int16_t term_in(pointwise::Program& program) const {
    if (program_ != nullptr) {
      return term_;
    }
    pointwise::Term constant;
    constant.value = value_;
    return program.add(constant);
  }

 private:
  pointwise::Program* program_ = nullptr;
  std::int16_t term_ = -1;
  double value_ = 0;
};

namespace pointwise {

template <class... T>
struct List {
  static constexpr std::size_t size = sizeof...(T);
  template <class Operation>
  static constexpr std::uint8_t index() {
    std::uint8_t i = 0;
    static_cast<void>(((std::is_same_v<Operation, T> ? true : (++i, false)) || ...));
    return i;
  }
  template <std::size_t I>
  using at = std::tuple_element_t<I, std::tuple<T...>>;
};

// pointwise_operations.hpp defines them.
using Operations =
    List<struct Negate, struct Add, struct Subtract, struct Multiply, struct Divide, struct Less,
         struct LessEqual, struct Equal, struct NotEqual, struct Where, struct Maximum,
         struct Minimum, struct Exp, struct Expm1, struct Log, struct Log1p, struct Sqrt,
         struct Sign, struct Abs, struct Sin, struct Cos, struct Atan, struct Tanh, struct Sigmoid,
         struct Softplus, struct Relu, struct Erf, struct Erfc, struct Pow, struct Floor,
         struct Round, struct IsFinite>;

template <class Operation>
constexpr std::uint8_t index_of() {
  static_assert(Operations::index<Operation>() < Operations::size);
  return Operations::index<Operation>();
}

template <std::same_as<Symbol>... S>
constexpr Symbol emit(std::uint8_t operation, S... operands) {
  Program* program = nullptr;
  ((program = operands.program() != nullptr ? operands.program() : program), ...);
  Term term;
  term.kind = Term::Kind::operation;
  term.operation = operation;
  std::size_t n = 0;
  ((term.operands[n++] = operands.term_in(*program)), ...);
  return {*program, program->add(term)};
}

template <class Operation, std::same_as<Symbol>... S>
constexpr Symbol apply(S... operands) {
  return emit(index_of<Operation>(), operands...);
}

}  // namespace pointwise

constexpr Symbol operator+(Symbol a, Symbol b) {
  if (a.is_constant() && b.is_constant()) return a.value() + b.value();
  if (a.is_constant(0)) return b;
  if (b.is_constant(0)) return a;
  return pointwise::apply<pointwise::Add>(a, b);
}
constexpr Symbol operator-(Symbol a) {
  if (a.is_constant()) return -a.value();
  return pointwise::apply<pointwise::Negate>(a);
}
constexpr Symbol operator-(Symbol a, Symbol b) {
  if (a.is_constant() && b.is_constant()) return a.value() - b.value();
  if (b.is_constant(0)) return a;
  if (a.is_constant(0)) return -b;
  return pointwise::apply<pointwise::Subtract>(a, b);
}
constexpr Symbol operator*(Symbol a, Symbol b) {
  if (a.is_constant() && b.is_constant()) return a.value() * b.value();
  if (a.is_constant(1)) return b;
  if (b.is_constant(1)) return a;
  return pointwise::apply<pointwise::Multiply>(a, b);
}
constexpr Symbol operator/(Symbol a, Symbol b) {
  if (a.is_constant() && b.is_constant()) return a.value() / b.value();
  if (b.is_constant(1)) return a;
  return pointwise::apply<pointwise::Divide>(a, b);
}

namespace detail {
template <class A, class B>
concept SymbolWithNumber = (std::same_as<A, Symbol> && std::is_arithmetic_v<B>) ||
                           (std::is_arithmetic_v<A> && std::same_as<B, Symbol>);

template <class A>
constexpr Symbol as_symbol(A a) {
  if constexpr (std::same_as<A, Symbol>) {
    return a;
  } else {
    return static_cast<double>(a);
  }
}
}  // namespace detail

// With numbers of any type.
template <class A, class B>
requires detail::SymbolWithNumber<A, B>
constexpr Symbol operator+(A a, B b) { return detail::as_symbol(a) + detail::as_symbol(b); }
template <class A, class B>
requires detail::SymbolWithNumber<A, B>
constexpr Symbol operator-(A a, B b) { return detail::as_symbol(a) - detail::as_symbol(b); }
template <class A, class B>
requires detail::SymbolWithNumber<A, B>
constexpr Symbol operator*(A a, B b) { return detail::as_symbol(a) * detail::as_symbol(b); }
template <class A, class B>
requires detail::SymbolWithNumber<A, B>
constexpr Symbol operator/(A a, B b) { return detail::as_symbol(a) / detail::as_symbol(b); }

}  // namespace rw
