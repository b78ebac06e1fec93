#pragma once
// Formulas run over memory, a register at a time.

#include <algorithm>
#include <rewind/autograd/differentiate.hpp>

namespace rw::pointwise {

inline constexpr std::size_t max_streams = 3 * max_arguments;

/// A block of rows and columns, and where each argument and each result lies in it.
struct Block {
  // Nothing is initialised by default: most streams of most formulas do not exist.
  struct Stream {
    void* data;                // a result that nobody wants has none
    std::int64_t row_step;     // elements from row to row; 0 repeats the row
    std::int64_t column_step;  // 1, or 0 to repeat one value along the row
    bool accumulate;           // results: add instead of write; always so where a step is 0
  };
  std::int64_t rows;
  std::int64_t columns;
  bool has_repeats;  // some column_step is 0
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
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (evaluate_term<P, I>(value, arguments), ...);
  }(std::make_index_sequence<P.size>{});
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    ((results[K] = value[P.outputs[K]]), ...);
  }(std::make_index_sequence<P.output_count>{});
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
  }(std::make_index_sequence<P.argument_count>{});
}

/// The loop over one block. `Repeats` is false where every stream moves along the row: then nothing needs to be asked per element.
template <const Program& P, class T, bool Repeats>
void run_rows(const Block& block) {
  using V = simd::Batch<T>;
  constexpr auto lanes = static_cast<std::int64_t>(V::size);
  constexpr std::size_t n = P.argument_count;
  constexpr std::size_t m = P.output_count;
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const T* from[n];
    T* to[m];
    V repeated[n];  // the arguments that stay the same along the row
    V sum[m];       // of the results that are summed along the row
    for_arguments<P>([&]<std::size_t K>() {
      from[K] = static_cast<const T*>(block.arguments[K].data) + row * block.arguments[K].row_step;
      if constexpr (Repeats) {
        if (block.arguments[K].column_step == 0) {
          repeated[K] = V(*from[K]);
        }
      }
    });
    for (std::size_t k = 0; k < m; ++k) {
      to[k] = static_cast<T*>(block.results[k].data);
      to[k] += to[k] == nullptr ? 0 : row * block.results[k].row_step;
      sum[k] = V(T(0));
    }
    const auto step = [&](std::int64_t column, std::int64_t count) __attribute__((always_inline)) {
      V arguments[n];
      V results[m];
      for_arguments<P>([&]<std::size_t K>() __attribute__((always_inline)) {
        if (Repeats && block.arguments[K].column_step == 0) {
          arguments[K] = repeated[K];
        } else if (count == lanes) {
          arguments[K] = V::load_unaligned(from[K] + column);
        } else {
          arguments[K] = simd::load_part(from[K] + column, static_cast<std::size_t>(count));
        }
      });
      evaluate<P>(arguments, results);
      for (std::size_t k = 0; k < m; ++k) {
        if (to[k] == nullptr) {
          continue;
        }
        if (Repeats && block.results[k].column_step == 0) {
          if (count == lanes) {
            sum[k] += results[k];
          } else {
            T values[V::size];
            results[k].store_unaligned(values);
            for (std::int64_t i = 0; i < count; ++i) {
              *to[k] += values[i];
            }
          }
          continue;
        }
        T* const place = to[k] + column;
        if (count == lanes) {
          (block.results[k].accumulate ? results[k] + V::load_unaligned(place) : results[k])
              .store_unaligned(place);
        } else {
          const auto part = static_cast<std::size_t>(count);
          simd::store_part(block.results[k].accumulate ? results[k] + simd::load_part(place, part)
                                                       : results[k],
                           place, part);
        }
      }
    };
    // Sums along a row are closed now and then, so that a long row loses no accuracy.
    constexpr std::int64_t stretch = 256 * lanes;
    std::int64_t column = 0;
    while (column + lanes <= block.columns) {
      const std::int64_t end = std::min(block.columns - lanes, column + stretch);
      for (; column <= end; column += lanes) {
        step(column, lanes);
      }
      if constexpr (Repeats) {
        for (std::size_t k = 0; k < m; ++k) {
          if (to[k] != nullptr && block.results[k].column_step == 0) {
            *to[k] += xsimd::hadd(sum[k]);
            sum[k] = V(T(0));
          }
        }
      }
    }
    if (column < block.columns) {
      step(column, block.columns - column);
    }
  }
}

template <const Program& P, class T>
void run_block(const Block& block) {
  if (block.has_repeats) {
    run_rows<P, T, true>(block);
  } else {
    run_rows<P, T, false>(block);
  }
}

}  // namespace rw::pointwise
