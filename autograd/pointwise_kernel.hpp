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
/// Every stream is a pointer and how far it advances with each register, so that the formula is
/// compiled for whatever is repeated, summed or not wanted: such streams point into a buffer and
/// stand still. In float32 it is compiled twice, for whole registers and for what is left of a row:
/// masks in the loop would cost up to a tenth. float64, which is there to check with, is spared
/// that.
template <const Program& P, class T>
void run_block(const Block& block) {
  using V = simd::Batch<T>;
  constexpr auto lanes = static_cast<std::int64_t>(V::size);
  constexpr std::size_t n = P.argument_count;
  constexpr std::size_t m = P.output_count;

  alignas(64) T argument_buffer[n][V::size];
  alignas(64) T result_buffer[m][V::size];
  // What a stream has advanced by at the end of a row.
  const std::int64_t walked = (block.columns + lanes - 1) / lanes * lanes;
  const T* from[n];
  std::int64_t argument_advance[n];
  std::int64_t argument_gap[n];  // to the next row
  bool repeats = false;
  for_arguments<P>([&]<std::size_t K>() {
    const Block::Stream& stream = block.arguments[K];
    const bool repeated = stream.column_step == 0;
    from[K] = repeated ? argument_buffer[K] : static_cast<const T*>(stream.data);
    argument_advance[K] = repeated ? 0 : lanes;
    argument_gap[K] = repeated ? 0 : stream.row_step - walked;
    repeats = repeats || repeated;
  });
  T* to[m];
  std::int64_t result_advance[m];
  std::int64_t result_gap[m];
  bool add[m];
  bool sums = false;
  for (std::size_t k = 0; k < m; ++k) {
    const Block::Stream& stream = block.results[k];
    const bool wanted = stream.data != nullptr;
    const bool in_place = wanted && stream.column_step != 0;
    to[k] = in_place ? static_cast<T*>(stream.data) : result_buffer[k];
    result_advance[k] = in_place ? lanes : 0;
    result_gap[k] = in_place ? stream.row_step - walked : 0;
    add[k] = wanted && stream.accumulate;
    sums = sums || (wanted && !in_place);
    if (!in_place) {
      V(T(0)).store_aligned(result_buffer[k]);
    }
  }
  // Sums along a row are closed now and then, so that a long row loses no accuracy.
  const std::int64_t stretch = sums ? 256 * lanes : block.columns;

  for (std::int64_t row = 0; row < block.rows; ++row) {
    if (repeats) {
      for_arguments<P>([&]<std::size_t K>() {
        const Block::Stream& stream = block.arguments[K];
        if (stream.column_step == 0) {
          V(static_cast<const T*>(stream.data)[row * stream.row_step])
              .store_aligned(argument_buffer[K]);
        }
      });
    }
    const auto compute = [&](auto part) __attribute__((always_inline)) {
      V arguments[n];
      V results[m];
      for_arguments<P>([&]<std::size_t K>() __attribute__((always_inline)) {
        arguments[K] = simd::load_part(from[K], part);
        from[K] += argument_advance[K];
      });
      evaluate<P>(arguments, results);
      for (std::size_t k = 0; k < m; ++k) {
        // In this order: two results may go to the same place.
        simd::store_part(add[k] ? results[k] + simd::load_part(to[k], part) : results[k], to[k],
                         part);
        to[k] += result_advance[k];
      }
    };
    for (std::int64_t begin = 0; begin < block.columns; begin += stretch) {
      const std::int64_t end = std::min(block.columns, begin + stretch);
      std::int64_t i = begin;
      if constexpr (sizeof(T) == 4) {
        for (; i + lanes <= end; i += lanes) {
          compute(simd::AllLanes<T>());
        }
      }
      for (; i < end; i += lanes) {
        compute(static_cast<std::size_t>(std::min(lanes, end - i)));
      }
      for (std::size_t k = 0; sums && k < m; ++k) {
        const Block::Stream& stream = block.results[k];
        if (stream.data != nullptr && stream.column_step == 0) {
          *(static_cast<T*>(stream.data) + row * stream.row_step) +=
              xsimd::hadd(V::load_aligned(result_buffer[k]));
          V(T(0)).store_aligned(result_buffer[k]);
        }
      }
    }
    for_arguments<P>([&]<std::size_t K>() { from[K] += argument_gap[K]; });
    for (std::size_t k = 0; k < m; ++k) {
      to[k] += result_gap[k];
    }
  }
}

}  // namespace rw::pointwise
