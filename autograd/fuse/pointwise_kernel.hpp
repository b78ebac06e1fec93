#pragma once
// Runs formulas over memory, one register at a time.

#include <algorithm>

#include <rewind/autograd/fuse/differentiate.hpp>

namespace rw::pointwise {

inline constexpr std::size_t max_streams = 3 * max_arguments;

/// Rows and columns, and the memory of each argument and each result, contiguous within a row.
/// Nothing is initialised by default, because most formulas use few streams.
struct Block {
  struct Stream {
    void* data;
    std::int64_t row_step;  // elements from row to row; not read if there is only one
  };
  std::int64_t rows;  // at least 1
  std::int64_t columns;
  std::array<Stream, max_streams> arguments;
  std::array<Stream, max_arguments> results;
};

template <const Program& P, std::size_t I, class V>
[[gnu::always_inline]] inline void evaluate_term(V* value, const V* arguments) {
  constexpr Term term = P.terms[I];
  if constexpr (term.kind == Term::Kind::argument) {
    value[I] = arguments[term.operands[0]];
  } else if constexpr (term.kind == Term::Kind::constant) {
    value[I] = V(static_cast<simd::Scalar<V>>(term.value));
  } else {
    using Operation = Operations::at<term.operation>;
    if constexpr (arity<Operation> == 1) {
      value[I] = Operation::value(value[term.operands[0]]);
    } else if constexpr (arity<Operation> == 2) {
      value[I] = Operation::value(value[term.operands[0]], value[term.operands[1]]);
    } else {
      value[I] = Operation::value(value[term.operands[0]], value[term.operands[1]],
                                  value[term.operands[2]]);
    }
  }
}

/// results = P(arguments), for one register of each.
template <const Program& P, class V>
[[gnu::always_inline]] inline void evaluate(const V* arguments, V* results) {
  V value[P.size];
  [&]<std::size_t... I>(std::index_sequence<I...>) { (evaluate_term<P, I>(value, arguments), ...); }
  (std::make_index_sequence<P.size>{});
  [&]<std::size_t... K>(std::index_sequence<K...>) { ((results[K] = value[P.outputs[K]]), ...); }
  (std::make_index_sequence<P.output_count>{});
}

/// Calls body.operator()<K>() for each argument that P reads.
template <const Program& P, class Body>
[[gnu::always_inline]] inline void for_arguments(Body&& body) {
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    (
        [&] {
          if constexpr (((P.used_arguments() >> K) & 1) != 0) {
            body.template operator()<K>();
          }
        }(),
        ...);
  }
  (std::make_index_sequence<P.argument_count>{});
}

/// The loop over one block.
///
/// All streams share one index, so that the loop contains little but the formula: streams that
/// repeat one value, are summed, accumulate or are not wanted use buffers (Tiles). In float32 the
/// formula is compiled twice, for whole registers and for the remainder of a row: masks in the loop
/// would slow it down by up to a tenth. float64 is for checking only, so it is compiled once.
///
/// `Instructions` only changes the function's name: a program may be compiled for another
/// instruction set than the library, and the linker must not merge the loops of both.
template <const Program& P, class T, class Instructions = xsimd::default_arch>
[[gnu::flatten]] void run_block(const Block& block) {
  using V = simd::Batch<T>;
  constexpr auto lanes = static_cast<std::int64_t>(V::size);
  constexpr std::size_t n = P.argument_count;
  constexpr std::size_t m = P.output_count;

  const T* from[n];
  T* to[m];
  for_arguments<P>(
      [&]<std::size_t K>() { from[K] = static_cast<const T*>(block.arguments[K].data); });
  for (std::size_t k = 0; k < m; ++k) {
    to[k] = static_cast<T*>(block.results[k].data);
  }
  const auto compute = [&](std::int64_t i, auto part) __attribute__((always_inline)) {
    V arguments[n];
    V results[m];
    for_arguments<P>([&]<std::size_t K>() __attribute__((always_inline)) {
      arguments[K] = simd::load_part(from[K] + i, part);
    });
    evaluate<P>(arguments, results);
    for (std::size_t k = 0; k < m; ++k) {
      simd::store_part(results[k], to[k] + i, part);
    }
  };
  const std::int64_t columns = block.columns;
  for (std::int64_t row = 1;; ++row) {
    std::int64_t i = 0;
    if constexpr (sizeof(T) == 4) {
      for (; i + lanes <= columns; i += lanes) {
        compute(i, simd::AllLanes<T>());
      }
    }
    for (; i < columns; i += lanes) {
      compute(i, static_cast<std::size_t>(std::min(lanes, columns - i)));
    }
    if (row == block.rows) {
      return;
    }
    for_arguments<P>([&]<std::size_t K>() { from[K] += block.arguments[K].row_step; });
    for (std::size_t k = 0; k < m; ++k) {
      to[k] += block.results[k].row_step;
    }
  }
}

}  // namespace rw::pointwise
