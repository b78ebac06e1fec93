#include <algorithm>
#include <atomic>
#include <cstring>

#include <fmt/format.h>

#include <rewind/autograd/detail/described.hpp>
#include <rewind/autograd/detail/plain_nan.hpp>
#include <rewind/autograd/detail/to_int64.hpp>
#include <rewind/autograd/record.hpp>
#include <rewind/autograd/tensor.hpp>

namespace rw {
namespace detail {

static_assert(sizeof(TensorBody) <= sizeof(Block::body));

namespace {

Block* home_of(TensorBody* body) {
  // The body is a block's last member.
  return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(body) + sizeof(Block::body)) - 1;
}

/// A body for another view of `from`'s storage.
TensorBody* make_view_body(TensorBody& from) {
  // Several threads may make views of one tensor.
  if (const std::atomic_ref exclusive(from.exclusive); exclusive.load(std::memory_order_relaxed)) {
    exclusive.store(false, std::memory_order_relaxed);
  }
  auto* const body = new (allocate_block(0)->body) TensorBody;
  body->dtype = from.dtype;
  from.block->retain();
  body->block = from.block;
  return body;
}

}  // namespace

void recycle_body(TensorBody* body) noexcept {
  Block* const home = home_of(body);
  Block* const block = body->block;
  release(block);
  if (home != block) {
    recycle_block(home);
  }
}

Tensor make_tensor(const Shape& shape, DType dtype) {
  Block* const block = allocate_block(static_cast<std::size_t>(shape.elements()) * size_of(dtype));
  auto* const body = new (block->body) TensorBody;
  body->dtype = dtype;
  body->shape = shape;
  body->row_stride = shape.columns();
  body->block = block;
  body->data = block->data();
  return Tensor::adopt(body);
}

Tensor make_view(const Tensor& base, const Link& link, const Shape& shape, std::int64_t offset,
                 std::int64_t row_stride, std::int64_t gradient_offset,
                 std::int64_t gradient_row_stride) {
  TensorBody& from = base.body();
  TensorBody* const body = make_view_body(from);
  if (shape.elements() == 0) {
    // Such a view may begin after the end of its base. It has nowhere to point to there.
    offset = gradient_offset = 0;
  }
  body->shape = shape;
  body->gapless = row_stride == shape.columns() || shape.elements() <= shape.columns();
  body->row_stride = row_stride;
  body->data = from.data + offset * static_cast<std::int64_t>(size_of(from.dtype));
  if (link.node != nullptr) {
    body->link = link;
    body->link.offset += gradient_offset;
    body->link.row_stride = gradient_row_stride;
    body->link.whole = body->link.offset == 0 && gradient_row_stride == shape.columns() &&
                       shape == link.node->slots[link.output].shape;
  }
  return Tensor::adopt(body);
}

void fail_undefined() {
  throw UsageError(
      "tensor: this handle is empty; it was default-constructed, moved from, or never assigned");
}

void fail_dtype(DType got, DType expected) {
  throw UsageError(fmt::format("tensor: elements were asked for as {}, but they are {}",
                               name_of(got), name_of(expected)));
}

namespace {
template <class T>
void copy_rows(const TensorBody& from, T* to) {
  const std::int64_t rows = from.shape.rows();
  const std::int64_t columns = from.shape.columns();
  if (from.shape.elements() == 0) {
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    std::memcpy(to + r * columns, reinterpret_cast<const T*>(from.data) + r * from.row_stride,
                static_cast<std::size_t>(columns) * sizeof(T));
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
  std::copy(values.begin(), values.end(), t.mutable_data<T>());
  return t;
}

template <Element T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> values(static_cast<std::size_t>(elements()));
  detail::copy_rows(typed<T>(), values.data());
  return values;
}

template Tensor Tensor::from<float>(const Shape&, std::span<const float>);
template Tensor Tensor::from<double>(const Shape&, std::span<const double>);
template Tensor Tensor::from<std::int64_t>(const Shape&, std::span<const std::int64_t>);
template std::vector<float> Tensor::to_vector<float>() const;
template std::vector<double> Tensor::to_vector<double>() const;
template std::vector<std::int64_t> Tensor::to_vector<std::int64_t>() const;

double Tensor::item() const {
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

Tensor Tensor::clone() const {
  return record("clone", {*this}, detail::copy_of(*this), saved(),
                [](const Tensor& dy, Gradients& d) { d.add(0, [&] { return dy; }); });
}

namespace {

template <class To, class From>
Tensor converted(const Tensor& x) {
  Tensor t = detail::make_tensor(x.shape(), dtype_of<To>);
  const From* const from = x.data<From>();
  To* to = t.mutable_data<To>();
  for (std::int64_t r = 0, rows = x.elements() == 0 ? 0 : x.rows(); r < rows; ++r) {
    for (std::int64_t c = 0; c < x.columns(); ++c) {
      const From value = from[r * x.row_stride() + c];
      if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
        if (!detail::fits_int64(value)) [[unlikely]] {
          throw UsageError(fmt::format("to: element {} of {} is {}, which is no int64 number",
                                       detail::place_name(x.shape(), r * x.columns() + c),
                                       detail::Described{x}, detail::plain_nan(value)));
        }
      }
      *to++ = static_cast<To>(value);
    }
  }
  return t;
}

}  // namespace

Tensor Tensor::to(DType target) const {
  if (target == dtype()) {
    return clone();
  }
  Tensor t = dispatch(dtype(), [&](auto source) {
    return dispatch(target, [&](auto destination) {
      return converted<decltype(destination), decltype(source)>(*this);
    });
  });
  if (!is_floating(dtype()) || !is_floating(target)) {
    return t;
  }
  return record("to", {*this}, std::move(t), saved(),
                [source = dtype()](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return dy.to(source); });
                });
}

bool Tensor::requires_grad() const { return detail::link_of(*this).node != nullptr; }

namespace {
Tensor filled(const char* who, const Shape& shape, double value, DType dtype) {
  detail::check_element(who, value, dtype);
  Tensor t = detail::make_tensor(shape, dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    std::fill_n(t.mutable_data<T>(), shape.elements(), static_cast<T>(value));
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
    T* to = t.mutable_data<T>();
    for (std::int64_t i = 0; i < n; ++i) {
      to[i] = static_cast<T>(i);
    }
  });
  return t;
}

}  // namespace rw
