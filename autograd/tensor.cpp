#include <algorithm>
#include <atomic>
#include <cstring>

#include <fmt/format.h>

#include <rewind/autograd/detail/node.hpp>
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
  return dispatch(dtype(), [&](auto type) { return static_cast<double>(*data<decltype(type)>()); });
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

Tensor Tensor::clone() const {
  Tensor t = detail::make_tensor(shape(), dtype());
  dispatch(dtype(),
           [&](auto type) { detail::copy_rows(body(), t.mutable_data<decltype(type)>()); });
  return t;
}

Tensor Tensor::to(DType target) const {
  if (target == dtype()) {
    return clone();
  }
  Tensor t = detail::make_tensor(shape(), target);
  dispatch(dtype(), [&](auto source) {
    dispatch(target, [&](auto destination) {
      using To = decltype(destination);
      const auto* from = data<decltype(source)>();
      To* to = t.mutable_data<To>();
      for (std::int64_t r = 0, rows_ = elements() == 0 ? 0 : rows(); r < rows_; ++r) {
        for (std::int64_t c = 0; c < columns(); ++c) {
          *to++ = static_cast<To>(from[r * row_stride() + c]);
        }
      }
    });
  });
  return t;
}

bool Tensor::requires_grad() const { return detail::link_of(*this).node != nullptr; }

Tensor full(const Shape& shape, double value, DType dtype) {
  Tensor t = detail::make_tensor(shape, dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    std::fill_n(t.mutable_data<T>(), shape.elements(), static_cast<T>(value));
  });
  return t;
}

Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0.0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1.0, dtype); }
Tensor scalar(double value, DType dtype) { return full({}, value, dtype); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
Tensor ones_like(const Tensor& x) { return ones(x.shape(), x.dtype()); }

Tensor arange(std::int64_t n, DType dtype) {
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

namespace {
constexpr std::int64_t shown_items = 8;

template <class T>
void append(std::string& out, const Tensor& x, int axis, std::int64_t row) {
  const Shape& shape = x.shape();
  if (axis == shape.rank()) {
    fmt::format_to(std::back_inserter(out), "{:.5g}", static_cast<double>(*x.data<T>()));
    return;
  }
  const std::int64_t n = shape[axis];
  out += '[';
  for (std::int64_t i = 0; i < n; ++i) {
    if (n > shown_items && i == shown_items / 2) {
      out += ", ...";
      i = n - shown_items / 2;
    }
    out += i == 0 ? "" : ", ";
    if (axis + 1 == shape.rank()) {
      fmt::format_to(std::back_inserter(out), "{:.5g}",
                     static_cast<double>(x.data<T>()[row * x.row_stride() + i]));
    } else {
      append<T>(out, x, axis + 1, row * n + i);
    }
  }
  out += ']';
}
}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) {
    return "undefined tensor";
  }
  std::string out = fmt::format("{} {} ", name_of(x.dtype()), to_string(x.shape()));
  dispatch(x.dtype(), [&](auto type) { append<decltype(type)>(out, x, 0, 0); });
  return out;
}

}  // namespace rw
