#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rewind/autograd/tensor/dtype.hpp>
#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/memory.hpp>
#include <rewind/autograd/tensor/nested_numbers.hpp>
#include <rewind/autograd/tensor/shape.hpp>

namespace rw {

class Tensor;

namespace detail {

struct Node;
struct ParameterBody;

/// Where a tensor came from on a tape: output `output` of `node`, or the part of that output which
/// starts at `offset` with rows `row_stride` apart (Note [Gradients of views]). The tape's serial
/// number tells whether that tape is still alive.
struct Link {
  std::uint64_t tape = 0;
  Node* node = nullptr;
  std::uint32_t output = 0;
  bool whole = false;  // all of the output, in its shape
  std::int64_t offset = 0;
  std::int64_t row_stride = 0;
};

/// What a handle points to: layout, storage and origin of one tensor. Views share a block.
struct TensorBody : Counted {
  using Counted::Counted;

  DType dtype = DType::float32;
  bool gapless = true;  // no gaps between rows
  // Nobody else will read this part of the block again (Note [Ownership]).
  bool exclusive = false;
  Block* block = nullptr;
  std::byte* data = nullptr;
  std::int64_t row_stride = 0;  // elements between rows; the last axis is always contiguous
  Shape shape;
  Link link;
  ParameterBody* parameter = nullptr;  // set for a parameter's value
  TensorBody* next_queued = nullptr;   // Note [Reference counts]
};

/// Returns an unreferenced body to its pool.
void recycle_body(TensorBody* body) noexcept;
/// Completes Counted::release(): recycles the body if no reference is left.
void settle(TensorBody* body) noexcept;

/// An uninitialised dense tensor.
Tensor make_tensor(const Shape& shape, DType dtype);

/// A body for another view of `from`'s storage, with its type and block.
TensorBody* make_view_body(TensorBody& from);

[[noreturn]] void fail_undefined();
[[noreturn]] void fail_dtype(DType got, DType expected);

}  // namespace detail

/// A small value handle to an array of up to five axes in pooled, 64-byte-aligned storage.
///
/// Copying a handle shares the array; arithmetic makes new arrays. Rows (all axes but the last) may
/// be further apart than their length, so that slices along leading axes and slices of columns are
/// views without a copy. While a Tape is alive on the thread, operations on tensors that need a
/// gradient are recorded on it; a tensor outlives its tape, as a constant.
class Tensor {
 public:
  Tensor() noexcept = default;
  Tensor(const Tensor& other) noexcept : body_(other.body_) {
    if (body_ != nullptr) {
      body_->retain();
    }
  }
  Tensor(Tensor&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Tensor& operator=(const Tensor& other) noexcept {
    Tensor copy(other);
    swap(copy);
    return *this;
  }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Tensor() { reset(); }

  /// A tensor of `shape` that holds a copy of `values` in row-major order. Throws ShapeError when
  /// the counts differ.
  template <Element T>
  static Tensor from(const Shape& shape, std::span<const T> values);
  template <Element T>
  static Tensor from(const Shape& shape, std::initializer_list<T> values) {
    return from<T>(shape, std::span<const T>(values.begin(), values.size()));
  }
  template <Element T>
  static Tensor from(const Shape& shape, const std::vector<T>& values) {
    return from<T>(shape, std::span<const T>(values));
  }

  /// Numbers in nested braces, as many levels as axes: Tensor::of({{1, 2, 3}, {4, 5, 6}}) is [2,
  /// 3]. Throws ShapeError for rows of different lengths and for more than five levels, UsageError
  /// for a number that `dtype` cannot hold. Numbers are converted through double; for integers
  /// beyond 2^53, use from().
  static Tensor of(const NestedNumbers& numbers, DType dtype = DType::float32);

  /// A tensor over the caller's memory, which is not copied: `memory` holds the elements in
  /// row-major order, and has to outlive every tensor, view and tape that reads it. It needs no
  /// alignment beyond that of T. Operations never write into it; writes through mutable_data() do.
  /// Direct writes to `memory` change the tensor but are not detected by a tape, so write before
  /// the forward or after the backward pass. Throws ShapeError when the counts differ.
  ///
  ///     std::vector<float> samples(6);
  ///     Tensor x = Tensor::view_of<float>({2, 3}, samples);
  template <Element T>
  static Tensor view_of(const Shape& shape, std::span<T> memory);

  /// Part `index` of the first axis (negative: counted from the end), as a view: x[i] of [T, B, F]
  /// is [B, F], x[i][j] is [F]. Gradients flow through it as through select(). Throws ShapeError
  /// for an index outside the axis or a single number.
  Tensor operator[](std::int64_t index) const;

  bool defined() const { return body_ != nullptr; }
  const Shape& shape() const { return body().shape; }
  int rank() const { return body().shape.rank(); }
  /// Size of `axis`; negative axes count from the end.
  std::int64_t size(int axis) const { return body().shape[axis]; }
  std::int64_t elements() const { return body().shape.elements(); }
  std::int64_t rows() const { return body().shape.rows(); }
  std::int64_t columns() const { return body().shape.columns(); }
  DType dtype() const { return body().dtype; }
  /// Elements from the start of one row (all axes but the last) to the next.
  std::int64_t row_stride() const { return body().row_stride; }
  /// True if there are no gaps between rows.
  bool is_contiguous() const { return body().gapless; }

  /// First element of row r, for reading.
  template <Element T>
  const T* row(std::int64_t r) const {
    return data<T>() + r * row_stride();
  }
  /// First element, for reading. Rows are row_stride() apart. Throws UsageError if T is not the
  /// tensor's type.
  template <Element T>
  const T* data() const {
    return reinterpret_cast<const T*>(typed<T>().data);
  }
  /// First element, for writing. Counts as a mutation (Note [Version counters]), so a tape that
  /// saved this value for its backward pass refuses to use it. Call it again for each round of
  /// writes: later writes through a kept pointer are not counted.
  template <Element T>
  T* mutable_data() {
    const detail::TensorBody& b = typed<T>();
    ++b.block->version;
    b.block->lent = true;
    return reinterpret_cast<T*>(b.data);
  }

  /// The only element, of any type; NaN has no sign, so that it prints as "nan". Throws ShapeError
  /// unless there is exactly one.
  double item() const;
  /// The elements in row-major order, copied.
  template <Element T>
  std::vector<T> to_vector() const;

  /// The same values (shared, not copied) without a link to any tape: a constant.
  Tensor detach() const;
  /// A dense copy, through which gradients flow; `detach().clone()` is a constant.
  Tensor clone() const;
  /// A dense copy converted to `dtype`. Gradients flow through it between floating types.
  /// Conversion to int64 truncates. Throws UsageError, with the position, if a NaN, an infinity or
  /// a number out of range would become int64.
  Tensor to(DType dtype) const;
  /// Whether an operation on this tensor would be recorded now: a Tape is alive on this thread, and
  /// the tensor is a trainable parameter, watched, or computed from these on that tape.
  bool requires_grad() const;

  void swap(Tensor& other) noexcept { std::swap(body_, other.body_); }
  void reset() noexcept {
    if (body_ != nullptr && body_->release()) {
      detail::settle(body_);
    }
    body_ = nullptr;
  }
  /// True when both handles point to the same tensor.
  bool same_as(const Tensor& other) const { return body_ == other.body_; }

  detail::TensorBody& body() const {
    if (body_ == nullptr) [[unlikely]] {
      detail::fail_undefined();
    }
    return *body_;
  }
  detail::TensorBody* body_pointer() const { return body_; }
  /// Takes over one reference to `body`.
  static Tensor adopt(detail::TensorBody* body) {
    Tensor t;
    t.body_ = body;
    return t;
  }

 private:
  template <Element T>
  const detail::TensorBody& typed() const {
    const detail::TensorBody& b = body();
    if (b.dtype != dtype_of<T>) [[unlikely]] {
      detail::fail_dtype(dtype_of<T>, b.dtype);
    }
    return b;
  }

  detail::TensorBody* body_ = nullptr;
};

/// A list of tensors for hot paths; its memory comes from the pool.
using TensorList = std::vector<Tensor, detail::PoolAllocator<Tensor>>;

namespace detail {
/// A dense copy that no tape records.
Tensor copy_of(const Tensor& x);
/// Declares that nobody writes into `x` through an earlier pointer any more (Note [Lent memory]).
inline void end_loan(const Tensor& x) { x.body().block->lent = false; }
}  // namespace detail

/// Dense tensors of one value. Uninitialised memory is never handed to a user. For an int64 tensor
/// the value is truncated; throws UsageError if int64 cannot hold it.
Tensor zeros(const Shape& shape, DType dtype = DType::float32);
Tensor ones(const Shape& shape, DType dtype = DType::float32);
Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
/// A tensor of rank 0.
Tensor scalar(double value, DType dtype = DType::float32);
/// 0, 1, ..., n - 1.
Tensor arange(std::int64_t n, DType dtype = DType::int64);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);

/// Type, shape and values in readable form: `float32 [3] [1, 0.5, nan]`. With two or more axes,
/// each row is on its own line, aligned, in nested brackets. Floating values have five significant
/// digits, whole numbers all digits; long axes are shortened with "...". The stream operator and
/// fmt::format("{}", x) give the same text.
std::string to_string(const Tensor& x);
std::ostream& operator<<(std::ostream& out, const Tensor& x);

extern template Tensor Tensor::from<float>(const Shape&, std::span<const float>);
extern template Tensor Tensor::from<double>(const Shape&, std::span<const double>);
extern template Tensor Tensor::from<std::int64_t>(const Shape&, std::span<const std::int64_t>);
extern template Tensor Tensor::view_of<float>(const Shape&, std::span<float>);
extern template Tensor Tensor::view_of<double>(const Shape&, std::span<double>);
extern template Tensor Tensor::view_of<std::int64_t>(const Shape&, std::span<std::int64_t>);
extern template std::vector<float> Tensor::to_vector<float>() const;
extern template std::vector<double> Tensor::to_vector<double>() const;
extern template std::vector<std::int64_t> Tensor::to_vector<std::int64_t>() const;

}  // namespace rw

template <>
struct fmt::formatter<rw::Tensor> {
  static constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static auto format(const rw::Tensor& x, fmt::format_context& context)
      -> fmt::format_context::iterator;
};
