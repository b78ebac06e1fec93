#pragma once
// Matrix products on plain memory: float32 with oneDNN and our own kernels, float64 with Eigen.
// Independent of tensors and tapes; callers pack weights (Note [Packed weights],
// tape/packed_weights.hpp).

#include <algorithm>
#include <cstdint>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/launch.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels {

/// A row-major matrix in memory, element (i, j) at data[i * stride + j]. `rows` and `cols` are as
/// stored; where `transposed` is set, op(matrix) is its transpose, otherwise the matrix itself.
template <class T>
struct MatrixView {
  const T* data;
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t stride;
  bool transposed = false;

  std::int64_t op_rows() const { return transposed ? cols : rows; }
  std::int64_t op_cols() const { return transposed ? rows : cols; }
};

/// Matrices of one shape and stride; item i begins at first.data + i * distance, and distance 0
/// repeats one matrix.
template <class T>
struct MatrixBatch {
  MatrixView<T> first;
  std::int64_t distance;

  MatrixView<T> operator[](std::int64_t item) const {
    MatrixView<T> view = first;
    view.data += item * distance;
    return view;
  }
};

/// c = op(a) op(b), or c += op(a) op(b) where `accumulate` is set; op(a) is [m, k], op(b) [k, n]
/// and c [m, n] with rows `c_stride` apart. Without `accumulate` the old content of c is never
/// read. k = 0 gives zeros. NaN and infinity propagate as in IEEE arithmetic. c must not overlap a
/// or b.
///
/// May be called from any thread and interrupted by signals. Chooses the number of OpenMP threads
/// by the work, up to the caller's limit. Throws ShapeError for sizes or strides that do not fit,
/// Error if oneDNN fails.
template <class T>
struct Product {
  MatrixView<T> a;
  MatrixView<T> b;
  T* c;
  std::int64_t c_stride;
  bool accumulate;

  void operator()() const;
};

template <class T>
void multiply(const MatrixView<T>& a, const MatrixView<T>& b, T* c, std::int64_t c_stride,
              bool accumulate) {
  launch(Product<T>{a, b, c, c_stride, accumulate});
}

/// The product above for `batch` items, item i of c beginning at c + i * c_distance. The items of c
/// must not overlap; those of a and of b may.
template <class T>
struct BatchedProduct {
  MatrixBatch<T> a;
  MatrixBatch<T> b;
  std::int64_t batch;
  T* c;
  std::int64_t c_stride;
  std::int64_t c_distance;
  bool accumulate;

  void operator()() const;
};

template <class T>
void multiply_batched(const MatrixBatch<T>& a, const MatrixBatch<T>& b, std::int64_t batch, T* c,
                      std::int64_t c_stride, std::int64_t c_distance, bool accumulate) {
  launch(BatchedProduct<T>{a, b, batch, c, c_stride, c_distance, accumulate});
}

template <>
void Product<float>::operator()() const;
template <>
void Product<double>::operator()() const;
template <>
void BatchedProduct<float>::operator()() const;
template <>
void BatchedProduct<double>::operator()() const;

namespace detail {

/// op(a) is [m, k], op(b) [k, n], c [m, n].
struct ProductSizes {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
};

inline void check_matrix(const char* name, std::int64_t rows, std::int64_t cols,
                         std::int64_t stride) {
  check_shape(rows >= 0 && cols >= 0, "multiply: {} has a negative size, [{}, {}]", name, rows,
              cols);
  check_shape(rows <= 1 || stride >= cols,
              "multiply: rows of {} overlap: stride {} for [{}, {}], expected at least {}", name,
              stride, rows, cols, cols);
  std::int64_t elements = 0;
  check_shape(rows <= 1 || !__builtin_mul_overflow(rows, stride, &elements),
              "multiply: {} is too large: {} rows, {} elements apart", name, rows, stride);
}

/// Checks the operands of a product and returns its sizes.
template <class T>
ProductSizes checked_sizes(const MatrixView<T>& a, const MatrixView<T>& b, std::int64_t c_stride) {
  check_matrix("the left matrix", a.rows, a.cols, a.stride);
  check_matrix("the right matrix", b.rows, b.cols, b.stride);
  check_shape(a.op_cols() == b.op_rows(),
              "multiply: inner dimensions differ: got [{}, {}] times [{}, {}]", a.op_rows(),
              a.op_cols(), b.op_rows(), b.op_cols());
  check_matrix("the result", a.op_rows(), b.op_cols(), c_stride);
  return {a.op_rows(), b.op_cols(), a.op_cols()};
}

/// `checked_sizes` for a batch of products.
template <class T>
ProductSizes checked_sizes(const MatrixBatch<T>& a, const MatrixBatch<T>& b, std::int64_t batch,
                           std::int64_t c_stride, std::int64_t c_distance) {
  const ProductSizes sizes = checked_sizes(a.first, b.first, c_stride);
  check_shape(batch >= 0 && a.distance >= 0 && b.distance >= 0,
              "multiply_batched: got a negative size or distance: {} items, {} and {} apart", batch,
              a.distance, b.distance);
  check_shape(batch <= 1 || sizes.m == 0 || c_distance >= sizes.n,
              "multiply_batched: items of the result overlap: {} apart, expected at least {}",
              c_distance, sizes.n);
  const std::int64_t furthest = std::max({a.distance, b.distance, c_distance});
  std::int64_t elements = 0;
  check_shape(batch <= 1 || !__builtin_mul_overflow(batch, furthest, &elements),
              "multiply_batched: {} items, {} elements apart, are too large", batch, furthest);
  return sizes;
}

/// The product for k = 0: writes zeros unless accumulating.
template <class T>
void write_empty_sum(const ProductSizes& sizes, T* c, std::int64_t c_stride, bool accumulate) {
  if (accumulate) return;
  for (std::int64_t i = 0; i < sizes.m; ++i) std::fill_n(c + i * c_stride, sizes.n, T{0});
}

}  // namespace detail
}  // namespace rw::kernels

#pragma GCC visibility pop
