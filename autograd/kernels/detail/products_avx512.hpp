#pragma once
// Products by our own AVX-512 kernels; internal to products.cpp.

#include <cstdint>

#include <rewind/autograd/kernels/products.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels::detail {

/// c (+)= op(a) b for a matrix b that is not transposed, on the calling thread. Allocates nothing
/// from the heap. Call it only if the processor has AVX-512; compiled only for x86-64.
void multiply_avx512(const ProductSizes& sizes, const MatrixView<float>& a,
                     const MatrixView<float>& b, float* c, std::int64_t c_stride, bool accumulate);

}  // namespace rw::kernels::detail

#pragma GCC visibility pop
