#pragma once

#include <rewind/autograd/fuse/fused_operation.hpp>
#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise_kernel.hpp>

namespace rw {

namespace pointwise {

template <class F, std::size_t N>
inline constexpr FusedOperation fused_operation = {
    &program_of<F, N>,
    &derivative_of<F, N>,
    work_of(program_of<F, N>),
    work_of(derivative_of<F, N>),
    derivative_of<F, N>.used_arguments(),
    nonzero_outputs(derivative_of<F, N>),
    &run_block<program_of<F, N>, float>,
    &run_block<program_of<F, N>, double>,
    &run_block<derivative_of<F, N>, float>,
    &run_block<derivative_of<F, N>, double>,
};

}  // namespace pointwise

/// Runs a pointwise formula over tensors in one vectorised pass, and its exact gradient in another.
///
///     auto [h, c] = fuse("lstm", [](auto i, auto f, auto g, auto o, auto c_prev) {
///       auto c = sigmoid(f) * c_prev + sigmoid(i) * tanh(g);
///       return std::tuple{sigmoid(o) * tanh(c), c};
///     }, zi, zf, zg, zo, c_prev);
///
/// `formula` is a lambda that captures nothing, takes each argument as `auto`, and uses the
/// functions and operators of math.hpp; it returns one value or a tuple of values. Arguments are
/// tensors of one floating type, which broadcast as in NumPy, or numbers. Returns a Tensor, or a
/// std::array of them for a tuple. The gradient is derived at compile time; it stores only the
/// arguments, and recomputes gates. Throws ShapeError if the shapes do not broadcast, UsageError
/// for mixed types.
template <class F, class... A>
auto fuse(const char* name, F, const A&... arguments) {
  constexpr std::size_t n = sizeof...(A);
  constexpr bool captures = !std::is_empty_v<F> || !std::is_default_constructible_v<F>;
  static_assert(!captures,
                "fuse: the formula must not capture anything; pass what it needs as arguments");
  static_assert(n <= pointwise::max_arguments, "fuse: too many arguments");
  if constexpr (!captures && n <= pointwise::max_arguments) {
    constexpr std::size_t outputs = pointwise::program_of<F, n>.output_count;
    const std::array<Operand, n> operands{Operand(arguments)...};
    std::array<Tensor, outputs> results;
    pointwise::apply_fused(name, pointwise::fused_operation<F, n>, operands, results);
    if constexpr (outputs == 1) {
      return std::move(results[0]);
    } else {
      return results;
    }
  } else {
    return Tensor();
  }
}

template <class F, class... A>
requires(!std::convertible_to<F, const char*>) auto fuse(F formula, const A&... arguments) {
  return fuse("fused", formula, arguments...);
}

}  // namespace rw
