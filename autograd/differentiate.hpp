#pragma once

#include <algorithm>

#include <rewind/autograd/pointwise_operations.hpp>

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

/// Keeps only the terms that the outputs need, those first that wait for the fewest costly ones, so
/// that the processor has several costly ones to work on at once.
constexpr Program ordered(const Program& from) {
  const std::array<bool, max_terms> needed = needed_terms(from);
  std::array<std::size_t, max_terms> depth{};  // costly terms, one after another, up to each
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

/// The formula that F computes of N arguments.
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

/// The gradient of a formula: for f(x_1..x_n) -> y_1..y_m the formula of x_1..x_n, y_1..y_m,
/// dy_1..dy_m -> dx_1..dx_n.
///
/// One sweep over the terms in reverse. Values of the forward pass are computed again, but for
/// outputs that are themselves the result of a costly operation: these are taken from y.
constexpr Program differentiate(const Program& f) {
  const std::size_t n = f.argument_count;
  const std::size_t m = f.output_count;
  Program d;
  d.argument_count = n + 2 * m;
  std::array<Symbol, max_terms> value = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Symbol, max_terms>{((void)I, Symbol(0))...};
  }
  (std::make_index_sequence<max_terms>{});
  std::array<Symbol, max_terms> adjoint = value;
  for (std::size_t i = 0; i < f.size; ++i) {
    Term term = f.terms[i];
    if (term.kind == Term::Kind::constant) {
      value[i] = term.value;
    } else if (term.kind == Term::Kind::argument) {
      value[i] = argument(d, static_cast<std::size_t>(term.operands[0]));
    } else {
      const bool costly = is_costly_term(term);
      std::size_t output = m;
      for (std::size_t k = 0; k < m && costly; ++k) {
        output = f.outputs[k] == static_cast<std::int16_t>(i) ? k : output;
      }
      if (output < m) {
        value[i] = argument(d, n + output);
        continue;
      }
      for (std::int16_t& operand : term.operands) {
        operand = operand >= 0 ? value[static_cast<std::size_t>(operand)].term_in(d) : operand;
      }
      value[i] = Symbol(d, d.add(term));
    }
  }
  for (std::size_t k = 0; k < m; ++k) {
    const auto output = static_cast<std::size_t>(f.outputs[k]);
    adjoint[output] = adjoint[output] + argument(d, n + m + k);
  }
  for (std::size_t i = f.size; i-- > 0;) {
    const Term& term = f.terms[i];
    if (term.kind != Term::Kind::operation || adjoint[i].is_constant()) {
      continue;
    }
    const auto operand = [&](std::size_t k) { return static_cast<std::size_t>(term.operands[k]); };
    visit_operation(term.operation, [&]<class Operation>() {
      [&]<std::size_t... K>(std::index_sequence<K...>) {
        const auto parts = Operation::adjoint(adjoint[i], value[operand(K)]..., value[i]);
        ((adjoint[operand(K)] = adjoint[operand(K)] + parts[K]), ...);
      }
      (std::make_index_sequence<arity<Operation>>{});
    });
  }
  // Arguments that do not occur in f get 0.
  d.output_count = n;
  for (std::size_t k = 0; k < n; ++k) {
    Symbol gradient(0);
    for (std::size_t i = 0; i < f.size; ++i) {
      if (f.terms[i].kind == Term::Kind::argument &&
          f.terms[i].operands[0] == static_cast<std::int16_t>(k)) {
        gradient = adjoint[i];
      }
    }
    d.outputs[k] = gradient.term_in(d);
  }
  return ordered(d);
}

template <class F, std::size_t N>
inline constexpr Program program_of = trace<F, N>();
template <class F, std::size_t N>
inline constexpr Program derivative_of = differentiate(program_of<F, N>);

}  // namespace rw::pointwise
