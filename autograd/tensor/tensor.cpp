#include <algorithm>
#include <atomic>
#include <cstring>

#include <fmt/format.h>

#include <rewind/autograd/tensor/capture_memory.hpp>
#include <rewind/autograd/tensor/launch.hpp>
#include <rewind/autograd/tensor/plain_nan.hpp>
#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/autograd/tensor/to_int64.hpp>

namespace rw {
namespace detail {

static_assert(sizeof(TensorBody) <= sizeof(Block::body));

namespace {

Block* home_of(TensorBody* body) {
  // The body is a block's last member.
  return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(body) + sizeof(Block::body)) - 1;
}

}  // namespace

TensorBody* make_view_body(TensorBody& from) {
  // Several threads may make views of one tensor.
  if (const std::atomic_ref exclusive(from.exclusive); exclusive.load(std::memory_order_relaxed)) {
    exclusive.store(false, std::memory_order_relaxed);
  }
  Block* const home = allocate_block(0);
  auto* const body = new (home->body) TensorBody(*home);
  body->dtype = from.dtype;
  from.block->retain();
  body->block = from.block;
  return body;
}

void recycle_body(TensorBody* body) noexcept {
  Block* const home = home_of(body);
  Block* const block = body->block;
  release(block);
  if (home != block) {
    recycle_block(home);
  }
}

Tensor make_tensor(const Shape& shape, DType dtype) {
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  Block* const block =
      capture_memory == nullptr ? allocate_block(bytes) : capture_memory->allocate(bytes);
  auto* const body = new (block->body) TensorBody(*block);
  body->dtype = dtype;
  body->shape = shape;
  body->row_stride = shape.columns();
  body->block = block;
  body->data = block->data();
  return Tensor::adopt(body);
}

void fail_undefined() {
  throw UsageError(
      "tensor: this handle is empty; it was default-constructed, moved from, or never assigned");
}

void fail_dtype(DType got, DType expected) {
  throw UsageError(fmt::format("tensor: requested elements of type {}, but the tensor is {}",
                               name_of(got), name_of(expected)));
}

namespace {
/// Copies the elements of `from` without gaps.
template <class T>
void copy_rows(const TensorBody& from, T* to) {
  launch([data = reinterpret_cast<const T*>(from.data), to, stride = from.row_stride,
          rows = from.shape.elements() == 0 ? 0 : from.shape.rows(),
          columns = from.shape.columns()] {
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(to + r * columns, data + r * stride,
                  static_cast<std::size_t>(columns) * sizeof(T));
    }
  });
}

/// Copies numbers of the caller; a replay repeats them (Note [Launches]).
template <class T>
void copy_values(std::span<const T> values, T* to) {
  if (captured_launches == nullptr) {
    std::ranges::copy(values, to);
  } else {
    launch(
        [kept = std::vector<T>(values.begin(), values.end()), to] { std::ranges::copy(kept, to); });
  }
}
}  // namespace
}  // namespace detail

template <Element T>
Tensor Tensor::from(const Shape& shape, std::span<const T> values) {
  check_shape(shape.elements() == static_cast<std::int64_t>(values.size()),
              "tensor: got {} values for shape {}, expected {}", values.size(), shape,
              shape.elements());
  Tensor t = detail::make_tensor(shape, dtype_of<T>);
  detail::copy_values(values, t.mutable_data<T>());
  return t;
}

template <Element T>
Tensor Tensor::view_of(const Shape& shape, std::span<T> memory) {
  check_shape(shape.elements() == static_cast<std::int64_t>(memory.size()),
              "view_of: got memory of {} elements for shape {}, expected {}", memory.size(), shape,
              shape.elements());
  Tensor t = detail::make_tensor(Shape{0}, dtype_of<T>);
  detail::TensorBody& body = t.body();
  body.shape = shape;
  body.row_stride = shape.columns();
  if (!memory.empty()) {
    body.block->borrowed = true;
    body.data = reinterpret_cast<std::byte*>(memory.data());
  }
  return t;
}

Tensor Tensor::of(const NestedNumbers& numbers, DType dtype) {
  const std::vector<std::int64_t> sizes = numbers.sizes();
  check_shape(sizes.size() <= Shape::max_rank,
              "of: got numbers in {} levels of braces, expected "
              "at most {}",
              sizes.size(), static_cast<int>(Shape::max_rank));
  Tensor t = detail::make_tensor(Shape(std::span<const std::int64_t>(sizes)), dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(t.elements()));
    numbers.visit([&](double number) {
      detail::check_element("of", number, dtype);
      values.push_back(static_cast<T>(number));
    });
    detail::copy_values(std::span<const T>(values), t.mutable_data<T>());
  });
  return t;
}

template <Element T>
std::vector<T> Tensor::to_vector() const {
  detail::refuse_in_capture("to_vector() reads values");
  std::vector<T> values(static_cast<std::size_t>(elements()));
  detail::copy_rows(typed<T>(), values.data());
  return values;
}

template Tensor Tensor::from<float>(const Shape&, std::span<const float>);
template Tensor Tensor::from<double>(const Shape&, std::span<const double>);
template Tensor Tensor::from<std::int64_t>(const Shape&, std::span<const std::int64_t>);
template Tensor Tensor::view_of<float>(const Shape&, std::span<float>);
template Tensor Tensor::view_of<double>(const Shape&, std::span<double>);
template Tensor Tensor::view_of<std::int64_t>(const Shape&, std::span<std::int64_t>);
template std::vector<float> Tensor::to_vector<float>() const;
template std::vector<double> Tensor::to_vector<double>() const;
template std::vector<std::int64_t> Tensor::to_vector<std::int64_t>() const;

double Tensor::item() const {
  detail::refuse_in_capture("item() reads a value");
  check_shape(elements() == 1, "item: got shape {}, expected exactly one element", shape());
  return dispatch(dtype(), [&](auto type) {
    return detail::plain_nan(static_cast<double>(*data<decltype(type)>()));
  });
}

Tensor Tensor::detach() const {
  detail::TensorBody& from = body();
  detail::TensorBody* const to = detail::make_view_body(from);
  to->shape = from.shape;
  to->gapless = from.gapless;
  to->row_stride = from.row_stride;
  to->data = from.data;
  return adopt(to);
}

Tensor detail::copy_of(const Tensor& x) {
  Tensor t = make_tensor(x.shape(), x.dtype());
  dispatch(x.dtype(), [&](auto type) { copy_rows(x.body(), t.mutable_data<decltype(type)>()); });
  return t;
}

namespace {
Tensor filled(const char* who, const Shape& shape, double value, DType dtype) {
  detail::check_element(who, value, dtype);
  Tensor t = detail::make_tensor(shape, dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    launch([to = t.mutable_data<T>(), count = shape.elements(), value = static_cast<T>(value)] {
      std::fill_n(to, count, value);
    });
  });
  return t;
}
}  // namespace

Tensor full(const Shape& shape, double value, DType dtype) {
  return filled("full", shape, value, dtype);
}
Tensor zeros(const Shape& shape, DType dtype) { return filled("zeros", shape, 0.0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return filled("ones", shape, 1.0, dtype); }
Tensor scalar(double value, DType dtype) { return filled("scalar", {}, value, dtype); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
Tensor ones_like(const Tensor& x) { return ones(x.shape(), x.dtype()); }

Tensor arange(std::int64_t n, DType dtype) {
  check_shape(n >= 0, "arange: got {} elements, expected 0 or more", n);
  Tensor t = detail::make_tensor(Shape{n}, dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    launch([to = t.mutable_data<T>(), n] {
      for (std::int64_t i = 0; i < n; ++i) {
        to[i] = static_cast<T>(i);
      }
    });
  });
  return t;
}

}  // namespace rw
