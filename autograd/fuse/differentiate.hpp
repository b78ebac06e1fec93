#pragma once

#include <algorithm>

#include <rewind/autograd/fuse/pointwise_operations.hpp>

namespace rw::pointwise {

/// Which terms the outputs of `program` need.
constexpr std::array<bool, max_terms> needed_terms(const Program& program) {
  std::array<bool, max_terms> needed{};
  for (std::size_t i = 0; i < program.output_count; ++i) {
    needed[static_cast<std::size_t>(program.outputs[i])] = true;
  }
  for (std::size_t i = program.size; i-- > 0;) {
    if (needed[i] && program.terms[i].kind == Term::Kind::operation) {
      for (const std::int16_t operand : program.terms[i].operands) {
        if (operand >= 0) {
          needed[static_cast<std::size_t>(operand)] = true;
        }
      }
    }
  }
  return needed;
}

/// Keeps only the terms that the outputs need, ordered by how many costly terms in a chain they
/// depend on, so that the processor can work on several costly terms at once.
constexpr Program ordered(const Program& from) {
  const std::array<bool, max_terms> needed = needed_terms(from);
  std::array<std::size_t, max_terms> depth{};  // costly terms in the longest chain up to each
  std::size_t deepest = 0;
  for (std::size_t i = 0; i < from.size; ++i) {
    const Term& term = from.terms[i];
    if (!needed[i] || term.kind != Term::Kind::operation) {
      continue;
    }
    for (const std::int16_t operand : term.operands) {
      depth[i] =
          operand >= 0 ? std::max(depth[i], depth[static_cast<std::size_t>(operand)]) : depth[i];
    }
    depth[i] += is_costly_term(term) ? 1U : 0U;
    deepest = std::max(deepest, depth[i]);
  }
  Program to;
  std::array<std::int16_t, max_terms> moved{};
  for (std::size_t level = 0; level <= deepest; ++level) {
    for (std::size_t i = 0; i < from.size; ++i) {
      if (!needed[i] || depth[i] != level) {
        continue;
      }
      Term term = from.terms[i];
      if (term.kind == Term::Kind::operation) {
        for (std::int16_t& operand : term.operands) {
          operand = operand >= 0 ? moved[static_cast<std::size_t>(operand)] : operand;
        }
      }
      moved[i] = static_cast<std::int16_t>(to.size);
      to.terms[to.size++] = term;
    }
  }
  to.argument_count = from.argument_count;
  to.output_count = from.output_count;
  for (std::size_t i = 0; i < from.output_count; ++i) {
    to.outputs[i] = moved[static_cast<std::size_t>(from.outputs[i])];
  }
  return to;
}

constexpr Symbol argument(Program& program, std::size_t number) {
  Term term;
  term.kind = Term::Kind::argument;
  term.operands[0] = static_cast<std::int16_t>(number);
  return {program, program.add(term)};
}

/// The formula that F computes from N arguments.
template <class F, std::size_t N>
constexpr Program trace() {
  Program program;
  program.argument_count = N;
  const auto add_output = [&](const Symbol& result) {
    program.outputs[program.output_count++] = result.term_in(program);
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto result = F{}(argument(program, I)...);
    if constexpr (std::is_convertible_v<decltype(result), Symbol>) {
      add_output(result);
    } else {
      std::apply([&](const auto&... each) { (add_output(each), ...); }, result);
    }
  }
  (std::make_index_sequence<N>{});
  return ordered(program);
}

// Note [Branches not taken]
// The branch that a `where` does not take gets the gradient 0, and 0 times the derivative of an
// operation is NaN if that derivative is infinite or NaN, as in where(x > 0, sqrt(x), 0) at 0. So
// each term has a guard, a condition outside of which its gradient is 0: the guards of the terms
// that use it, combined with the condition for a branch of a `where`. The derivatives of a guarded
// term are computed from operands that are replaced by 1 wherever the guard does not hold; at 1,
// every operation has finite derivatives of any order. Selecting after the derivatives would be
// enough for the gradient, but not for gradients of the gradient, which apply these terms as
// separate operations (pointwise_gradient.cpp).
//
// A guard is a symbol: the constant 1 (always), the constant 0 (nothing needs the term's gradient),
// or a condition. In a formula without `where` all guards are constant, and nothing is replaced.

/// Both conditions hold.
constexpr Symbol both(Symbol a, Symbol b) {
  if (a.is_constant()) return a.value() != 0 ? b : Symbol(0);
  if (b.is_constant()) return b.value() != 0 ? a : Symbol(0);
  return apply<Where>(a, b, Symbol(0));
}
constexpr Symbol opposite(Symbol condition) {
  if (condition.is_constant()) return condition.value() != 0 ? 0 : 1;
  return apply<Equal>(condition, Symbol(0));
}
/// One of the conditions holds.
constexpr Symbol either(Symbol a, Symbol b, Program& program) {
  if (a.is_constant(0)) return b;
  if (b.is_constant(0)) return a;
  if (a.is_constant() || b.is_constant()) return 1;
  const auto same = [&](Symbol x, Symbol y) { return x.term_in(program) == y.term_in(program); };
  if (same(a, b)) return a;
  if (same(b, opposite(a)) || same(a, opposite(b))) return 1;
  return apply<Where>(a, Symbol(1), b);
}

/// The operands in which an operation has a derivative that is not 0 everywhere.
template <class Operation>
inline constexpr auto has_slope = [] {
  return []<std::size_t... K>(std::index_sequence<K...>) {
    Program scratch;
    const auto parts = Operation::adjoint(argument(scratch, 0), argument(scratch, K + 1)...,
                                          argument(scratch, sizeof...(K) + 1));
    return std::array<bool, sizeof...(K)>{!parts[K].is_constant(0)...};
  }
  (std::make_index_sequence<arity<Operation>>{});
}();

/// One reverse sweep over the terms of f, which builds its gradient.
class Differentiation {
 public:
  constexpr explicit Differentiation(const Program& f) : f_(f) {
    d_.argument_count = f.argument_count + 2 * f.output_count;
    for (std::size_t i = 0; i < f.size; ++i) {
      value_[i] = value_of(i);
    }
    find_guards();
    for (std::size_t i = 0; i < f.size; ++i) {
      safe_[i] = safe_value_of(i);
    }
    add_adjoints();
  }

  /// The gradient of each argument; 0 for those that do not occur in f.
  constexpr Program result() {
    const std::size_t n = f_.argument_count;
    d_.output_count = n;
    for (std::size_t k = 0; k < n; ++k) {
      Symbol gradient(0);
      for (std::size_t i = 0; i < f_.size; ++i) {
        if (f_.terms[i].kind == Term::Kind::argument &&
            f_.terms[i].operands[0] == static_cast<std::int16_t>(k)) {
          gradient = adjoint_[i];
        }
      }
      d_.outputs[k] = gradient.term_in(d_);
    }
    return ordered(d_);
  }

 private:
  using Symbols = std::array<Symbol, max_terms>;
  static constexpr Symbols zeros = []<std::size_t... I>(std::index_sequence<I...>) {
    return Symbols{((void)I, Symbol(0))...};
  }
  (std::make_index_sequence<max_terms>{});

  constexpr std::size_t operand(std::size_t i, std::size_t k) const {
    return static_cast<std::size_t>(f_.terms[i].operands[k]);
  }

  /// Recomputed, except for outputs that are results of a costly operation: these are read from y.
  constexpr Symbol value_of(std::size_t i) {
    const Term& term = f_.terms[i];
    if (term.kind == Term::Kind::constant) {
      return term.value;
    }
    if (term.kind == Term::Kind::argument) {
      return argument(d_, static_cast<std::size_t>(term.operands[0]));
    }
    if (is_costly_term(term)) {
      for (std::size_t k = f_.output_count; k-- > 0;) {
        if (f_.outputs[k] == static_cast<std::int16_t>(i)) {
          return argument(d_, f_.argument_count + k);
        }
      }
    }
    Term again = term;
    for (std::size_t k = 0; k < 3 && term.operands[k] >= 0; ++k) {
      again.operands[k] = value_[operand(i, k)].term_in(d_);
    }
    return {d_, d_.add(again)};
  }

  constexpr void find_guards() {
    for (std::size_t k = 0; k < f_.output_count; ++k) {
      guard_[static_cast<std::size_t>(f_.outputs[k])] = 1;
    }
    for (std::size_t i = f_.size; i-- > 0;) {
      const Term& term = f_.terms[i];
      if (term.kind != Term::Kind::operation || guard_[i].is_constant(0)) {
        continue;
      }
      visit_operation(term.operation, [&]<class Operation>() {
        for (std::size_t k = 0; k < arity<Operation>; ++k) {
          if (!has_slope<Operation>[k]) {
            continue;
          }
          Symbol guard = guard_[i];
          if constexpr (std::is_same_v<Operation, Where>) {
            const Symbol condition = value_[operand(i, 0)];
            guard = both(guard, k == 1 ? condition : opposite(condition));
          }
          guard_[operand(i, k)] = either(guard_[operand(i, k)], guard, d_);
        }
      });
    }
  }

  /// Operand k of term i as its derivatives use it.
  constexpr Symbol safe_operand(std::size_t i, std::size_t k) {
    const std::size_t j = operand(i, k);
    bool sloped = false;
    visit_operation(f_.terms[i].operation, [&]<class Operation>() {
      sloped = k < arity<Operation> && has_slope<Operation>[k];
    });
    if (guard_[i].is_constant() || value_[j].is_constant() || !sloped) {
      return value_[j];
    }
    return apply<Where>(guard_[i], safe_[j], Symbol(1));
  }

  constexpr Symbol safe_value_of(std::size_t i) {
    if (f_.terms[i].kind != Term::Kind::operation || guard_[i].is_constant()) {
      return value_[i];
    }
    Term safe = f_.terms[i];
    for (std::size_t k = 0; k < 3 && safe.operands[k] >= 0; ++k) {
      safe.operands[k] = safe_operand(i, k).term_in(d_);
    }
    return {d_, d_.add(safe)};
  }

  constexpr void add_adjoints() {
    const std::size_t n = f_.argument_count;
    const std::size_t m = f_.output_count;
    for (std::size_t k = 0; k < m; ++k) {
      Symbol& adjoint = adjoint_[static_cast<std::size_t>(f_.outputs[k])];
      adjoint = adjoint + argument(d_, n + m + k);
    }
    for (std::size_t i = f_.size; i-- > 0;) {
      const Term& term = f_.terms[i];
      if (term.kind != Term::Kind::operation || adjoint_[i].is_constant()) {
        continue;
      }
      visit_operation(term.operation, [&]<class Operation>() {
        [&]<std::size_t... K>(std::index_sequence<K...>) {
          const auto parts = Operation::adjoint(adjoint_[i], safe_operand(i, K)..., safe_[i]);
          ((adjoint_[operand(i, K)] = adjoint_[operand(i, K)] + parts[K]), ...);
        }
        (std::make_index_sequence<arity<Operation>>{});
      });
    }
  }

  const Program& f_;
  Program d_;
  Symbols value_ = zeros;
  Symbols guard_ = zeros;
  Symbols safe_ = zeros;
  Symbols adjoint_ = zeros;
};

/// The gradient of a formula: for f(x_1..x_n) -> y_1..y_m the formula of x_1..x_n, y_1..y_m,
/// dy_1..dy_m -> dx_1..dx_n.
constexpr Program differentiate(const Program& f) { return Differentiation(f).result(); }

/// Bit k: output k is not the constant 0.
constexpr std::uint64_t nonzero_outputs(const Program& program) {
  std::uint64_t nonzero = 0;
  for (std::size_t k = 0; k < program.output_count; ++k) {
    const Term& term = program.terms[static_cast<std::size_t>(program.outputs[k])];
    if (term.kind != Term::Kind::constant || term.value != 0) {
      nonzero |= std::uint64_t{1} << k;
    }
  }
  return nonzero;
}

template <class F, std::size_t N>
inline constexpr Program program_of = trace<F, N>();
template <class F, std::size_t N>
inline constexpr Program derivative_of = differentiate(program_of<F, N>);

}  // namespace rw::pointwise
