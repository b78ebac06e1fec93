#pragma once
// Products by AVX-512 kernels of our own; internal to products.cpp.

#include <cstdint>

#include <rewind/autograd/kernels/products.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels::detail {

/// c (+)= op(a) b for a matrix b that is not transposed, on the calling thread. Takes nothing from
/// the heap. May be called only where the processor has AVX-512; compiled for x86-64 alone.
void multiply_avx512(const ProductSizes& sizes, const MatrixView<float>& a,
                     const MatrixView<float>& b, float* c, std::int64_t c_stride, bool accumulate);

}  // namespace rw::kernels::detail

#pragma GCC visibility pop
