// float64 products with Eigen, for gradient checks and as the reference for the float32 kernels.

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 reports its own inlined AVX-512 intrinsics as uses of uninitialised memory.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

// Eigen's threads wait for each other in a loop that never yields, so on a busy machine a product
// takes a hundred times as long. The reference runs on one thread.
#define EIGEN_DONT_PARALLELIZE

#include <Eigen/Core>

#include <rewind/autograd/kernels/products.hpp>

namespace rw::kernels {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;

// Note [Independent rows]
// In Eigen, the order in which a row of a product is summed, and so its rounding, depends on the
// number of rows and the row's index. But a sequence's result must not depend on the other
// sequences in its batch: here each row of the result is a separate product, unless the left side
// is transposed, where rows are features. float32 makes no such guarantee.

/// Calls `use` with op(view) as an Eigen expression.
template <class Use>
void with_operand(const MatrixView<double>& view, Use&& use) {
  const Eigen::Map<const RowMajor, 0, Stride> stored(view.data, view.rows, view.cols,
                                                     Stride(std::max(view.stride, view.cols)));
  if (view.transposed) {
    use(stored.transpose());
  } else {
    use(stored);
  }
}

template <class Result, class Product>
void write(Result&& result, const Product& product, bool accumulate) {
  if (accumulate) {
    result.noalias() += product;
  } else {
    result.noalias() = product;
  }
}

}  // namespace

template <>
void Product<double>::operator()() const {
  const auto sizes = detail::checked_sizes(a, b, c_stride);
  if (sizes.m == 0 || sizes.n == 0) return;
  if (sizes.k == 0) return detail::write_empty_sum(sizes, c, c_stride, accumulate);
  Eigen::Map<RowMajor, 0, Stride> result(c, sizes.m, sizes.n, Stride(std::max(c_stride, sizes.n)));
  with_operand(a, [&](const auto& left) {
    with_operand(b, [&](const auto& right) {
      if (a.transposed) {
        write(result, left * right, accumulate);
        return;
      }
      for (std::int64_t i = 0; i < sizes.m; ++i) {  // Note [Independent rows]
        write(result.row(i), left.row(i) * right, accumulate);
      }
    });
  });
}

template <>
void BatchedProduct<double>::operator()() const {
  const auto sizes = detail::checked_sizes(a, b, batch, c_stride, c_distance);
  if (sizes.m == 0 || sizes.n == 0) return;
  for (std::int64_t item = 0; item < batch; ++item) {
    multiply(a[item], b[item], c + item * c_distance, c_stride, accumulate);
  }
}

}  // namespace rw::kernels
