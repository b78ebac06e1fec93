#pragma once

#include <rewind/autograd/kernels/products.hpp>
#include <rewind/autograd/tape/gradients.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels {

/// A tensor of two or more axes as one matrix: all leading axes become rows.
template <class T>
MatrixView<T> matrix_view(const MatrixOperand& operand) {
  const Tensor& t = operand.tensor;
  return {t.data<T>(), t.rows(), t.columns(), t.row_stride(), operand.transposed};
}

}  // namespace rw::kernels

#pragma GCC visibility pop
