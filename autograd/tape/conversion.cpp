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
          throw UsageError(
              fmt::format("to: element {} of {} is {}, which cannot be converted to int64",
                          detail::place_name(x.shape(), r * x.columns() + c), detail::Described{x},
                          detail::plain_nan(value)));
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

}  // namespace rw
