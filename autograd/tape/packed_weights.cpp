#include <algorithm>
#include <utility>

#include <rewind/autograd/kernels/row_length.hpp>
#include <rewind/autograd/kernels/strided_copy.hpp>
#include <rewind/autograd/tape/packed_weights.hpp>
#include <rewind/autograd/tape/recorder.hpp>
#include <rewind/autograd/tape/view.hpp>

namespace rw::detail {
namespace {

/// An uninitialised matrix whose row stride is fast to read.
Tensor make_matrix(std::int64_t rows, std::int64_t columns, DType dtype) {
  constexpr std::int64_t slow_for_two_threads = 512;
  const std::int64_t stride = good_row_stride(columns, dtype, slow_for_two_threads);
  return make_view(make_tensor(Shape{rows, stride}, dtype), {}, Shape{rows, columns}, 0, stride, 0,
                   stride);
}

Tensor packed_copy(const Tensor& x, bool transposed) {
  const std::int64_t rows = transposed ? x.columns() : x.rows();
  const std::int64_t columns = transposed ? x.rows() : x.columns();
  Tensor y = make_matrix(rows, columns, x.dtype());
  kernels::Walk walk;
  walk.add_axis(rows, y.row_stride(), transposed ? 1 : x.row_stride());
  walk.add_axis(columns, 1, transposed ? x.row_stride() : 1);
  dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    kernels::copy_strided<T>(y.mutable_data<T>(), x.data<T>(), walk);
  });
  return y;
}

}  // namespace

MatrixOperand PackedWeights::packed(const MatrixOperand& b, std::int64_t rows) {
  constexpr std::int64_t enough_rows = 16;  // from here on a transposed copy pays off at once
  constexpr std::size_t most = 16;          // matrices
  const Tensor& x = b.tensor;
  const bool is_slow =
      b.transposed ||
      (rows >= enough_rows && good_row_stride(x.row_stride(), x.dtype()) != x.row_stride());
  // In float64, rounding would depend on the number of rows (Note [Independent rows]).
  if (!is_slow || x.rank() != 2 || x.elements() == 0 || x.dtype() != DType::float32) {
    return b;
  }
  const void* const data = x.body().data;
  const std::uint32_t version = x.body().block->version;
  const auto is_same = [&](const Entry& e) {
    return e.data == data && e.row_stride == x.row_stride() && e.version == version &&
           e.transposed == b.transposed && (!e.copy.defined() || e.original.shape() == x.shape());
  };
  auto entry = std::find_if(entries_.begin(), entries_.end(), is_same);
  const bool met_before = entry != entries_.end();
  if (!met_before) {
    if (entries_.size() == most) {
      return b;
    }
    entries_.reserve(most);
    entries_.push_back({data, x.row_stride(), version, b.transposed, {}, {}});
    entry = entries_.end() - 1;
  }
  if (!entry->copy.defined()) {
    if (!met_before && (!b.transposed || rows < enough_rows)) {
      return b;
    }
    entry->copy = packed_copy(x, b.transposed);
    entry->original = x;
  }
  return entry->copy;
}

namespace {
constinit thread_local WeightScope* innermost = nullptr;
}

WeightScope::WeightScope(Kind kind) : kind_(kind), outer_(std::exchange(innermost, this)) {}
WeightScope::~WeightScope() { innermost = outer_; }

MatrixOperand packed(const MatrixOperand& b, std::int64_t rows) {
  PackedWeights* weights = nullptr;
  WeightScope::Kind kind = WeightScope::Kind::forward;
  if (context.tape != nullptr) {
    weights = &Recorder::weights_of(*context.tape);
  } else if (innermost != nullptr) {
    weights = &innermost->weights_;
    kind = innermost->kind_;
  }
  // Note [Lent memory]
  const Block& block = *b.tensor.body().block;
  const bool stays =
      kind == WeightScope::Kind::forward && (b.transposed || block.lent || block.borrowed);
  return weights == nullptr || stays ? b : weights->packed(b, rows);
}

}  // namespace rw::detail
