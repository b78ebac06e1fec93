// float32 products, each in the fastest measured way (one core of an AVX-512 machine):
// - our own kernel for tiny products, where oneDNN's dispatch costs more than the arithmetic
//   ([5, 4] x [4, 16]: 61 ns against 248 ns);
// - dnnl_sgemm for most two-dimensional products; where a signal must not interrupt it, other
//   kernels, one of them our own (Note [Signals during products], detail/onednn.hpp);
// - cached matmul primitives for batches (64 of [16, 16] x [16, 16]: 63 GFLOP/s against 13 through
//   sgemm), and for 16 rows or more times a transposed matrix that is seen for the first time ([32,
//   1024] x [256, 1024]^T: 89 GFLOP/s against 51; with two threads 164 against 36; see Note [Packed
//   weights] for the others).
//
// Note [What oneDNN must not be given]: a zero size kills the process; a batch with a transposed
// left side is silently wrong with three threads or more (oneDNN before 2.7.5); a primitive with
// its own scratchpad must not run on another thread than its creator's. So empty products never
// reach oneDNN, the left side of a primitive is never transposed, and primitives are cached per
// thread with our own scratchpad.

#include <algorithm>
#include <atomic>

#include <rewind/autograd/kernels/detail/matmul_primitives.hpp>
#include <rewind/autograd/kernels/detail/onednn.hpp>
#include <rewind/autograd/kernels/detail/products_avx512.hpp>
#include <rewind/autograd/kernels/detail/signals.hpp>
#include <rewind/autograd/kernels/parallel.hpp>
#include <rewind/autograd/kernels/products.hpp>
#include <rewind/autograd/kernels/products_tiny.hpp>

namespace rw::kernels {
namespace {

using detail::fail;
using detail::PrimitiveCache;
using detail::ProductSizes;

/// The number of threads worth waking: one per 2^17 multiply-adds. Below that the wake-up costs
/// more than it saves (1x512x128: 42 GFLOP/s on one thread, 22 on two). Matrix-vector products are
/// memory-bound; while the matrix fits in one processor's cache a second thread gains little
/// (1x1024x512: 25 us on one thread, 22 on two; 1x2048x512: 57 and 44), and every step of a batch
/// of one would have to wait for it.
int worthwhile_threads(const ProductSizes& sizes, std::int64_t batch) {
  const double work = static_cast<double>(sizes.m) * static_cast<double>(sizes.n) *
                      static_cast<double>(sizes.k) * static_cast<double>(batch);
  const bool is_vector = sizes.m == 1 || sizes.n == 1;
  return rw::detail::worthwhile_threads(work, is_vector && batch == 1 ? 0x1p19 : 0x1p17);
}

dnnl_status_t sgemm(const ProductSizes& sizes, const MatrixView<float>& a,
                    const MatrixView<float>& b, float* c, std::int64_t c_stride, bool accumulate) {
  return dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', sizes.m, sizes.n, sizes.k,
                    1.0f, a.data, a.stride, b.data, b.stride, accumulate ? 1.0f : 0.0f, c,
                    c_stride);
}

/// Whether sgemm uses kernels that never move the stack pointer, however long the sums: those for
/// matrix-vector products, and for up to 15 rows times a transposed matrix.
bool sgemm_leaves_stack_alone(const ProductSizes& sizes, const MatrixView<float>& a,
                              const MatrixView<float>& b) {
  return (sizes.m == 1 && !a.transposed) || (sizes.n == 1 && (b.transposed || b.stride == 1)) ||
         (sizes.m < 16 && !a.transposed && b.transposed && rw::detail::onednn::uses_avx512());
}

/// A product split along k into parts so short that sgemm's kernels do not move the stack pointer.
dnnl_status_t multiply_in_short_sums(const ProductSizes& sizes, MatrixView<float> a,
                                     MatrixView<float> b, float* c, std::int64_t c_stride,
                                     bool accumulate) {
  const std::int64_t longest = rw::detail::onednn::longest_safe_sum();
  const std::int64_t parts = (sizes.k + longest - 1) / longest;
  const std::int64_t part = (sizes.k + parts - 1) / parts;
  dnnl_status_t status = dnnl_success;
  for (std::int64_t p = 0; p < sizes.k && status == dnnl_success; p += part) {
    status = sgemm({sizes.m, sizes.n, std::min(part, sizes.k - p)}, a, b, c, c_stride,
                   accumulate || p > 0);
    a.data += part * (a.transposed ? a.stride : 1);
    b.data += part * (b.transposed ? 1 : b.stride);
  }
  return status;
}

/// A product on the calling thread, by the fastest kernel that a signal may interrupt (Note
/// [Signals during products]).
dnnl_status_t multiply_part(const ProductSizes& sizes, const MatrixView<float>& a,
                            const MatrixView<float>& b, float* c, std::int64_t c_stride,
                            bool accumulate) {
  if (sizes.k <= rw::detail::onednn::longest_safe_sum() || sgemm_leaves_stack_alone(sizes, a, b)) {
    return sgemm(sizes, a, b, c, c_stride, accumulate);
  }
  // From this size on the two system calls cost less than 2 % of the product.
  constexpr std::int64_t enough_to_block_signals = 1 << 25;
  if (sizes.m * sizes.n * sizes.k >= enough_to_block_signals) {
    const rw::detail::SignalsBlocked blocked;
    return sgemm(sizes, a, b, c, c_stride, accumulate);
  }
#if defined(__x86_64__)
  if (!b.transposed && rw::detail::onednn::uses_avx512()) {
    detail::multiply_avx512(sizes, a, b, c, c_stride, accumulate);
    return dnnl_success;
  }
#endif
  return multiply_in_short_sums(sizes, a, b, c, c_stride, accumulate);
}

/// A product split by the result's rows or columns, one part per thread. oneDNN's own parallel
/// sgemm allocates memory in every call; inside a parallel region it runs on one thread.
void multiply_shared(const ProductSizes& sizes, const MatrixView<float>& a,
                     const MatrixView<float>& b, float* c, std::int64_t c_stride, bool accumulate) {
  const bool by_columns = sizes.n >= sizes.m;
  std::atomic<dnnl_status_t> status = dnnl_success;
  const auto multiply_from = [&](std::int64_t begin, std::int64_t count) {
    const std::int64_t row = by_columns ? 0 : begin;
    const std::int64_t column = by_columns ? begin : 0;
    MatrixView<float> left = a;
    MatrixView<float> right = b;
    left.data += row * (a.transposed ? 1 : a.stride);
    right.data += column * (b.transposed ? b.stride : 1);
    const dnnl_status_t result =
        multiply_part({by_columns ? sizes.m : count, by_columns ? count : sizes.n, sizes.k}, left,
                      right, c + row * c_stride + column, c_stride, accumulate);
    if (result != dnnl_success) {
      status = result;
    }
  };
  constexpr std::int64_t block = 16;  // parts are aligned to the kernels' blocks
  const std::int64_t shared = by_columns ? sizes.n : sizes.m;
  const int threads = shared <= block ? 1 : worthwhile_threads(sizes, 1);
  if (threads == 1) {
    const ThreadLimit limit(threads);
    multiply_from(0, shared);
  } else {
    rw::detail::run_in_parts(shared, block, threads, multiply_from);
  }
  if (status != dnnl_success) {
    fail(status, sizes, 1);
  }
}

/// Gives a matrix of at most one row, whose stride is irrelevant, a stride that oneDNN accepts.
void settle_stride(MatrixView<float>& view) {
  if (view.rows <= 1) view.stride = view.cols;
}

/// Views a transposed column without gaps as a row.
void settle_row(MatrixView<float>& view) {
  if (view.transposed && view.cols == 1 && view.stride == 1) {
    view = {view.data, 1, view.rows, view.rows};
  }
}

void multiply_checked(const ProductSizes& sizes, MatrixView<float> a, MatrixView<float> b, float* c,
                      std::int64_t c_stride, bool accumulate) {
  if (detail::is_tiny(sizes, b.transposed))
    return detail::multiply_tiny(sizes, a, b, c, c_stride, accumulate);
  settle_stride(a);
  settle_stride(b);
  settle_row(a);
  if (sizes.m == 1) c_stride = sizes.n;
  // Above 512 rows sgemm is equally fast, and sequences of different lengths would need too many
  // primitives. Below 2^20 multiply-adds a primitive gains little, and oneDNN allocates memory
  // whenever it executes one.
  const bool prefers_primitive = b.transposed && !a.transposed && sizes.m >= 16 && sizes.m <= 512 &&
                                 sizes.n > 1 && sizes.m * sizes.n * sizes.k >= 1 << 20;
  const bool done = prefers_primitive && PrimitiveCache::of_this_thread().execute(
                                             {sizes, 1, a.stride, 0, b.stride, 0, c_stride, 0,
                                              worthwhile_threads(sizes, 1), true, accumulate},
                                             a.data, b.data, c);
  if (!done) multiply_shared(sizes, a, b, c, c_stride, accumulate);
}

/// Computes the products of a batch separately, small ones on several threads.
void multiply_one_by_one(const ProductSizes& sizes, const MatrixBatch<float>& a,
                         const MatrixBatch<float>& b, std::int64_t batch, float* c,
                         std::int64_t c_stride, std::int64_t c_distance, bool accumulate) {
  const int threads = worthwhile_threads(sizes, batch);
  if (threads == 1 || worthwhile_threads(sizes, 1) > 1) {
    for (std::int64_t item = 0; item < batch; ++item) {
      multiply(a[item], b[item], c + item * c_distance, c_stride, accumulate);
    }
    return;
  }
  const bool is_tiny = detail::is_tiny(sizes, b.first.transposed);
  std::atomic<dnnl_status_t> status = dnnl_success;
  rw::detail::run_in_parts(batch, 1, threads, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t item = begin; item < begin + count; ++item) {
      float* const target = c + item * c_distance;
      if (is_tiny) {
        detail::multiply_tiny(sizes, a[item], b[item], target, c_stride, accumulate);
      } else if (const dnnl_status_t result =
                     multiply_part(sizes, a[item], b[item], target, c_stride, accumulate);
                 result != dnnl_success) {
        status = result;
      }
    }
  });
  if (status != dnnl_success) fail(status, sizes, batch);
}

/// Whether `batch` matrices are stored one after the other or side by side, the only layouts that
/// oneDNN can describe.
bool is_regular(std::int64_t batch, std::int64_t rows, std::int64_t cols, std::int64_t stride,
                std::int64_t distance) {
  return distance >= rows * stride || (distance >= cols && stride >= batch * distance);
}

/// A batch of products of sizes that are not 0.
void multiply_batch(const ProductSizes& sizes, MatrixBatch<float> a, MatrixBatch<float> b,
                    std::int64_t batch, float* c, std::int64_t c_stride, std::int64_t c_distance,
                    bool accumulate) {
  if (sizes.m == 1) {
    if (!a.first.transposed) a.first.stride = a.distance;
    c_stride = c_distance;
  }
  // With one right matrix for all, contiguous left matrices form one tall matrix.
  const bool is_one_product = b.distance == 0 && !a.first.transposed && a.distance >= sizes.k &&
                              a.distance == sizes.m * a.first.stride &&
                              c_distance == sizes.m * c_stride;
  if (is_one_product) {
    a.first.rows *= batch;
    return multiply(a.first, b.first, c, c_stride, accumulate);
  }
  settle_stride(a.first);
  settle_stride(b.first);
  if (sizes.m == 1) c_stride = sizes.n;
  const auto& [left, a_distance] = a;
  const auto& [right, b_distance] = b;
  // A primitive's overhead is paid once per batch; for single rows the tiny kernel is still faster.
  const bool worth_primitive =
      !detail::is_tiny(sizes, right.transposed) || (batch >= 8 && sizes.m > 1);
  const bool takes_primitive =
      worth_primitive && batch > 1 && !left.transposed && sizes.k > 0 &&
      (a_distance == 0 || is_regular(batch, left.rows, left.cols, left.stride, a_distance)) &&
      (b_distance == 0 || is_regular(batch, right.rows, right.cols, right.stride, b_distance)) &&
      is_regular(batch, sizes.m, sizes.n, c_stride, c_distance);
  const bool done =
      takes_primitive &&
      PrimitiveCache::of_this_thread().execute(
          {sizes, batch, left.stride, a_distance, right.stride, b_distance, c_stride, c_distance,
           worthwhile_threads(sizes, batch), right.transposed, accumulate},
          left.data, right.data, c);
  if (!done) multiply_one_by_one(sizes, a, b, batch, c, c_stride, c_distance, accumulate);
}

}  // namespace

template <>
void Product<float>::operator()() const {
  const ProductSizes sizes = detail::checked_sizes(a, b, c_stride);
  if (sizes.m == 0 || sizes.n == 0) return;
  if (sizes.k == 0) return detail::write_empty_sum(sizes, c, c_stride, accumulate);
  multiply_checked(sizes, a, b, c, c_stride, accumulate);
}

template <>
void BatchedProduct<float>::operator()() const {
  const ProductSizes sizes = detail::checked_sizes(a, b, batch, c_stride, c_distance);
  if (batch == 0 || sizes.m == 0 || sizes.n == 0) return;
  multiply_batch(sizes, a, b, batch, c, c_stride, c_distance, accumulate);
}

}  // namespace rw::kernels
