// Compiled by instruction_sets.sh, never run: instantiates everything that is written for
// registers. A function template that is never called is not compiled at all, and some of xsimd
// 8.1's only fail to compile without optimisation.

#include <array>

#include <rewind/autograd/fuse/pointwise_operations.hpp>
#include <rewind/autograd/kernels/row_kernels.hpp>
#include <rewind/autograd/kernels/simd.hpp>
#include <rewind/autograd/losses/detail/ctc_kernels.hpp>
#include <rewind/optim/detail/element_loop.hpp>

namespace rw {
namespace {

template <class T>
void run_operations(T* values) {
  using V = simd::Batch<T>;
  const V x = V::load_unaligned(values);
  V sum(T(0));
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto add = [&]<class Operation>() {
      if constexpr (pointwise::arity<Operation> == 1) {
        sum += Operation::value(x);
      } else if constexpr (pointwise::arity<Operation> == 2) {
        sum += Operation::value(x, x);
      } else {
        sum += Operation::value(x, x, x);
      }
    };
    (add.template operator()<pointwise::Operations::at<I>>(), ...);
  }
  (std::make_index_sequence<pointwise::Operations::size>{});
  sum.store_unaligned(values);
}

template <class T>
void run_registers(T* values) {
  const std::int64_t n = static_cast<std::int64_t>(values[0]);
  values[0] = static_cast<T>(kernels::sum_row(values, n) + kernels::sum_exp(values, n, T(1)));
  values[1] = kernels::extreme_of_row<kernels::Larger>(values, n);
  values[2] = kernels::extreme_of_row<kernels::Smaller>(values, n);
  detail::for_each_register<T, 1, 1>(n, {values}, {values}, [](const auto& read, auto& written) {
    written = simd::fnma(read, read, simd::fma(read, xsimd::sqrt(read), xsimd::abs(written)));
  });
  values[3] = detail::all_finite<T, 1>(n, {values}, [](const auto& x) { return x; }) ? T(1) : T(0);
}

}  // namespace

void run_everything(float* single, double* twice) {
  run_operations(single);
  run_operations(twice);
  run_registers(single);
  run_registers(twice);
  kernels::ctc::join_paths(8, twice, twice, twice, twice, twice);
}

}  // namespace rw
