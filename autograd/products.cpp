// float32 products. Three ways, chosen by measurement (one core of an AVX-512 machine):
// - a kernel of our own for tiny products, where oneDNN's dispatch costs more than the arithmetic
//   ([5, 4] x [4, 16]: 61 ns against 248 ns);
// - dnnl_sgemm for most two-dimensional products;
// - cached matmul primitives for batches (64 of [16, 16] x [16, 16]: 63 GFLOP/s against 13 through
//   sgemm), and for 16 rows or more times a transposed matrix that is met for the first time
//   ([32, 1024] x [256, 1024]^T: 89 GFLOP/s against 51; with two threads 164 against 36; see Note
//   [Weights stored as read] for the others).
//
// Note [What oneDNN must not be given]: a zero size kills the process; a batch with a transposed
// left side is silently wrong with three threads or more (oneDNN before 2.7.5); a primitive with
// its own scratchpad must not run on another thread than its creator's. So empty products end
// before oneDNN, a left side given to a primitive is never transposed, and primitives are kept per
// thread with a scratchpad of ours.

#include <array>
#include <atomic>
#include <list>
#include <new>
#include <unordered_map>
#include <vector>

#include <boost/align/aligned_allocator.hpp>
#include <boost/container_hash/hash.hpp>
#include <dnnl.hpp>
#include <dnnl_debug.h>
#include <fmt/format.h>

#include <rewind/autograd/detail/threads.hpp>
#include <rewind/autograd/products.hpp>
#include <rewind/autograd/products_tiny.hpp>

namespace rw::kernels {
namespace {

using detail::ProductSizes;

[[noreturn]] void fail(dnnl_status_t status, const ProductSizes& sizes, std::int64_t batch) {
  if (status == dnnl_out_of_memory) throw std::bad_alloc();
  throw Error(fmt::format("multiply: oneDNN failed with status {} ({}) on {} x [{}, {}] x [{}, {}]",
                          static_cast<int>(status), dnnl_status2str(status), batch, sizes.m,
                          sizes.k, sizes.k, sizes.n));
}

/// The number of threads worth waking: one for each 2^17 multiply-adds. Below that the wake-up
/// costs more than it saves (1x512x128: 42 GFLOP/s on one thread, 22 on two).
int worthwhile_threads(const ProductSizes& sizes, std::int64_t batch) {
  const double work = static_cast<double>(sizes.m) * static_cast<double>(sizes.n) *
                      static_cast<double>(sizes.k) * static_cast<double>(batch);
  return rw::detail::worthwhile_threads(work, 0x1p17);
}

/// A product by sgemm, in parts of the result's rows or columns, one for each thread. oneDNN's own
/// sharing of sgemm allocates memory for every call; inside a parallel region it does not share.
void multiply_sgemm(const ProductSizes& sizes, const MatrixView<float>& a,
                    const MatrixView<float>& b, float* c, std::int64_t c_stride, bool accumulate) {
  const bool by_columns = sizes.n >= sizes.m;
  std::atomic<dnnl_status_t> status = dnnl_success;
  const auto multiply_part = [&](std::int64_t begin, std::int64_t count) {
    const std::int64_t row = by_columns ? 0 : begin;
    const std::int64_t column = by_columns ? begin : 0;
    const dnnl_status_t result = dnnl_sgemm(
        a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', by_columns ? sizes.m : count,
        by_columns ? count : sizes.n, sizes.k, 1.0f, a.data + row * (a.transposed ? 1 : a.stride),
        a.stride, b.data + column * (b.transposed ? b.stride : 1), b.stride,
        accumulate ? 1.0f : 0.0f, c + row * c_stride + column, c_stride);
    if (result != dnnl_success) {
      status = result;
    }
  };
  constexpr std::int64_t block = 16;  // parts begin where the kernels' blocks do
  const std::int64_t shared = by_columns ? sizes.n : sizes.m;
  const int threads = shared <= block ? 1 : worthwhile_threads(sizes, 1);
  // A single row is a sum of rows, which oneDNN shares better, and without memory.
  if (threads == 1 || sizes.m == 1) {
    const rw::detail::ThreadLimit limit(threads);
    multiply_part(0, shared);
  } else {
    rw::detail::run_in_parts(shared, block, threads, multiply_part);
  }
  if (status != dnnl_success) {
    fail(status, sizes, 1);
  }
}

/// Everything a matmul primitive depends on. The left matrix is not transposed.
struct PrimitiveKey {
  ProductSizes sizes;
  std::int64_t batch;
  std::int64_t a_stride, a_distance;
  std::int64_t b_stride, b_distance;
  std::int64_t c_stride, c_distance;
  int threads;
  bool b_transposed;
  bool accumulate;

  auto fields() const {
    return std::array<std::int64_t, 13>{sizes.m,    sizes.n,      sizes.k,    batch,    a_stride,
                                        a_distance, b_stride,     b_distance, c_stride, c_distance,
                                        threads,    b_transposed, accumulate};
  }
  bool operator==(const PrimitiveKey& other) const { return fields() == other.fields(); }
};

struct PrimitiveKeyHash {
  std::size_t operator()(const PrimitiveKey& key) const {
    const auto fields = key.fields();
    return boost::hash_range(fields.begin(), fields.end());
  }
};

/// A primitive with the memory objects that are pointed at the operands of each call.
struct Primitive {
  dnnl::matmul matmul;
  dnnl::memory a, b, c, scratchpad;
  std::size_t scratchpad_bytes;
};

/// One thread's primitives, the least recently used of which makes room for a new one.
class PrimitiveCache {
 public:
  static PrimitiveCache& of_this_thread() {
    thread_local PrimitiveCache cache;
    return cache;
  }

  void execute(const PrimitiveKey& key, const float* a, const float* b, float* c) {
    const rw::detail::ThreadLimit limit(key.threads);
    try {
      Primitive& primitive = find_or_create(key);
      const std::size_t floats = (primitive.scratchpad_bytes + sizeof(float) - 1) / sizeof(float);
      if (scratchpad_.size() < floats) scratchpad_.resize(floats);
      // oneDNN takes its inputs as pointers to mutable data and does not write through them.
      primitive.a.set_data_handle(const_cast<float*>(a));
      primitive.b.set_data_handle(const_cast<float*>(b));
      primitive.c.set_data_handle(c);
      primitive.scratchpad.set_data_handle(scratchpad_.data());
      const std::array<dnnl_exec_arg_t, 4> arguments{{
          {DNNL_ARG_SRC, primitive.a.get()},
          {DNNL_ARG_WEIGHTS, primitive.b.get()},
          {DNNL_ARG_DST, primitive.c.get()},
          {DNNL_ARG_SCRATCHPAD, primitive.scratchpad.get()},
      }};
      const dnnl_status_t status =
          dnnl_primitive_execute(primitive.matmul.get(), stream_.get(),
                                 static_cast<int>(arguments.size()), arguments.data());
      if (status != dnnl_success) fail(status, key.sizes, key.batch);
    } catch (const dnnl::error& error) {
      fail(error.status, key.sizes, key.batch);
    }
  }

 private:
  using Entries = std::list<std::pair<PrimitiveKey, Primitive>>;
  static constexpr std::size_t capacity = 256;

  Primitive& find_or_create(const PrimitiveKey& key) {
    if (const auto found = index_.find(key); found != index_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->second;
    }
    Entries fresh;
    fresh.emplace_front(key, create(key));
    index_.emplace(key, fresh.begin());
    entries_.splice(entries_.begin(), fresh);
    if (entries_.size() > capacity) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    return entries_.front().second;
  }

  Primitive create(const PrimitiveKey& key) const {
    using dnnl::memory;
    const auto describe = [&](std::int64_t distance, memory::dims matrix, memory::dims strides) {
      const std::int64_t items = distance == 0 ? 1 : key.batch;
      if (key.batch > 1) {
        matrix.insert(matrix.begin(), items);
        strides.insert(strides.begin(), distance == 0 ? matrix[1] * matrix[2] : distance);
      }
      return memory::desc(matrix, memory::data_type::f32, strides);
    };
    const auto [m, n, k] = key.sizes;
    const auto a = describe(key.a_distance, {m, k}, {key.a_stride, 1});
    const auto b =
        describe(key.b_distance, {k, n},
                 key.b_transposed ? memory::dims{1, key.b_stride} : memory::dims{key.b_stride, 1});
    const auto c = describe(key.c_distance, {m, n}, {key.c_stride, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (key.accumulate) {
      dnnl::post_ops add_to_result;
      add_to_result.append_sum(1.0f);
      attributes.set_post_ops(add_to_result);
    }
    const dnnl::matmul::primitive_desc choice(dnnl::matmul::desc(a, b, c), attributes, engine_);
    return {dnnl::matmul(choice),
            memory(a, engine_, nullptr),
            memory(b, engine_, nullptr),
            memory(c, engine_, nullptr),
            memory(choice.scratchpad_desc(), engine_, nullptr),
            choice.scratchpad_desc().get_size()};
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  Entries entries_;
  std::unordered_map<PrimitiveKey, Entries::iterator, PrimitiveKeyHash> index_;
  std::vector<float, boost::alignment::aligned_allocator<float, 64>> scratchpad_;
};

/// Gives a matrix of at most one row, whose stride means nothing, one that oneDNN accepts.
void settle_stride(MatrixView<float>& view) {
  if (view.rows <= 1) view.stride = view.cols;
}

void multiply_checked(const ProductSizes& sizes, MatrixView<float> a, MatrixView<float> b, float* c,
                      std::int64_t c_stride, bool accumulate) {
  if (detail::is_tiny(sizes, b.transposed))
    return detail::multiply_tiny(sizes, a, b, c, c_stride, accumulate);
  settle_stride(a);
  settle_stride(b);
  if (sizes.m == 1) c_stride = sizes.n;
  // Above 512 rows sgemm is level, and ragged sequences would make too many primitives. Below 2^20
  // multiply-adds a primitive gains little, and oneDNN allocates memory whenever it executes one.
  const bool prefers_primitive = b.transposed && !a.transposed && sizes.m >= 16 && sizes.m <= 512 &&
                                 sizes.n > 1 && sizes.m * sizes.n * sizes.k >= 1 << 20;
  if (!prefers_primitive) return multiply_sgemm(sizes, a, b, c, c_stride, accumulate);
  PrimitiveCache::of_this_thread().execute({sizes, 1, a.stride, 0, b.stride, 0, c_stride, 0,
                                            worthwhile_threads(sizes, 1), b.transposed, accumulate},
                                           a.data, b.data, c);
}

/// Whether `batch` matrices lie one after the other or side by side, which is all oneDNN describes.
bool is_regular(std::int64_t batch, std::int64_t rows, std::int64_t cols, std::int64_t stride,
                std::int64_t distance) {
  return distance >= rows * stride || (distance >= cols && stride >= batch * distance);
}

}  // namespace

template <>
void multiply(MatrixView<float> a, MatrixView<float> b, float* c, std::int64_t c_stride,
              bool accumulate) {
  const ProductSizes sizes = detail::checked_sizes(a, b, c_stride);
  if (sizes.m == 0 || sizes.n == 0) return;
  if (sizes.k == 0) return detail::write_empty_sum(sizes, c, c_stride, accumulate);
  multiply_checked(sizes, a, b, c, c_stride, accumulate);
}

template <>
void multiply_batched(MatrixBatch<float> a, MatrixBatch<float> b, std::int64_t batch, float* c,
                      std::int64_t c_stride, std::int64_t c_distance, bool accumulate) {
  const ProductSizes sizes = detail::checked_sizes(a, b, batch, c_stride, c_distance);
  if (batch == 0 || sizes.m == 0 || sizes.n == 0) return;
  if (sizes.m == 1) {
    if (!a.first.transposed) a.first.stride = a.distance;
    c_stride = c_distance;
  }
  // One right matrix for all: the left ones, if they follow each other, are one tall matrix.
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
  // A primitive's overhead is paid once for the batch; for single rows the tiny kernel stays ahead.
  const bool worth_primitive =
      !detail::is_tiny(sizes, right.transposed) || (batch >= 8 && sizes.m > 1);
  const bool takes_primitive =
      worth_primitive && batch > 1 && !left.transposed && sizes.k > 0 &&
      (a_distance == 0 || is_regular(batch, left.rows, left.cols, left.stride, a_distance)) &&
      (b_distance == 0 || is_regular(batch, right.rows, right.cols, right.stride, b_distance)) &&
      is_regular(batch, sizes.m, sizes.n, c_stride, c_distance);
  if (!takes_primitive) {
    for (std::int64_t item = 0; item < batch; ++item) {
      multiply(a[item], b[item], c + item * c_distance, c_stride, accumulate);
    }
    return;
  }
  PrimitiveCache::of_this_thread().execute(
      {sizes, batch, left.stride, a_distance, right.stride, b_distance, c_stride, c_distance,
       worthwhile_threads(sizes, batch), right.transposed, accumulate},
      left.data, right.data, c);
}

}  // namespace rw::kernels
