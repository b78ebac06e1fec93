// The members of Tensor that a tape records: clone() and to().

#include <type_traits>

#include <rewind/autograd/tape/described.hpp>
#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tensor/plain_nan.hpp>
#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/autograd/tensor/to_int64.hpp>

namespace rw {

Tensor Tensor::clone() const {
  return record("clone", {*this}, detail::copy_of(*this), saved(),
                [](const Tensor& dy, Gradients& d) { d.add(0, [&] { return dy; }); });
}

namespace {

/// Throws UsageError if a number cannot become int64. `described` is the tensor in the message.
template <class From, class DescribedAs>
void check_numbers(const ConstRows<From>& from, const Shape& shape, const DescribedAs& described) {
  const std::int64_t columns = shape.columns();
  for (std::int64_t r = 0, rows = shape.elements() == 0 ? 0 : shape.rows(); r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const From value = from.row(r)[c];
      if (!detail::fits_int64(value)) [[unlikely]] {
        throw UsageError(fmt::format(
            "to: element {} of {} is {}, which cannot be converted to int64",
            detail::place_name(shape, r * columns + c), described, detail::plain_nan(value)));
      }
    }
  }
}

template <class To, class From>
Tensor converted(const Tensor& x) {
  constexpr bool may_not_fit = std::is_integral_v<To> && std::is_floating_point_v<From>;
  if constexpr (may_not_fit) {
    check_numbers(rows_of<From>(x), x.shape(), detail::Described{x});
  }
  Tensor t = detail::make_tensor(x.shape(), dtype_of<To>);
  launch([from = rows_of<From>(x), shape = x.shape(), to = t.mutable_data<To>(),
          // Of a replay, whose numbers nobody has checked.
          checks = may_not_fit && detail::captured_launches != nullptr] {
    static_cast<void>(checks);  // not read where every number fits
    if constexpr (may_not_fit) {
      if (checks) {
        check_numbers(from, shape, shape);
      }
    }
    const std::int64_t columns = shape.columns();
    for (std::int64_t r = 0, rows = shape.elements() == 0 ? 0 : shape.rows(); r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        to[r * columns + c] = static_cast<To>(from.row(r)[c]);
      }
    }
  });
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

}  // namespace rw
