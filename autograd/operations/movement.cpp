#include <algorithm>
#include <cmath>
#include <numeric>

#include <rewind/autograd/kernels/strided_copy.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tensor/axis.hpp>
#include <rewind/autograd/tensor/to_int64.hpp>

namespace rw {
namespace {

using Order = std::array<int, Shape::max_rank>;

std::span<const int> first(const Order& order, int rank) {
  return {order.data(), static_cast<std::size_t>(rank)};
}

/// Whether the axes of more than one element keep their order, so that no element moves.
bool keeps_elements(const Shape& shape, std::span<const int> axes) {
  int previous = -1;
  for (const int axis : axes) {
    if (shape[axis] != 1) {
      if (axis < previous) {
        return false;
      }
      previous = axis;
    }
  }
  return true;
}

/// permute with `axes` known to be a permutation of 0 .. rank - 1.
Tensor permuted(const char* name, const Tensor& x, std::span<const int> axes) {
  std::array<std::int64_t, Shape::max_rank> sizes{};
  Order inverse{};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    sizes[i] = x.size(axes[i]);
    inverse[static_cast<std::size_t>(axes[i])] = static_cast<int>(i);
  }
  const Shape shape(std::span<const std::int64_t>(sizes.data(), axes.size()));
  if (keeps_elements(x.shape(), axes)) {
    return reshape(x, shape);
  }
  Tensor y = detail::make_tensor(shape, x.dtype());
  const kernels::Strides from = kernels::strides_of(x);
  const kernels::Strides to = kernels::strides_of(y);
  kernels::Walk walk;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    walk.add_axis(sizes[i], to[i], from[static_cast<std::size_t>(axes[i])]);
  }
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    kernels::copy_strided(y.mutable_data<T>(), x.data<T>(), walk);
  });
  return record(name, {x}, std::move(y), saved(),
                [name, inverse, rank = x.rank()](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return permuted(name, dy, first(inverse, rank)); });
                });
}

/// Bit i: axis i is reversed.
Tensor flipped(const Tensor& x, unsigned axes) {
  Tensor y = detail::make_tensor(x.shape(), x.dtype());
  const kernels::Strides from = kernels::strides_of(x);
  const kernels::Strides to = kernels::strides_of(y);
  kernels::Walk walk;
  std::int64_t start = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    const bool reversed = (axes >> i & 1U) != 0;
    start += reversed ? (x.size(axis) - 1) * from[i] : 0;
    walk.add_axis(x.size(axis), to[i], reversed ? -from[i] : from[i]);
  }
  if (x.elements() > 0) {
    dispatch(x.dtype(), [&](auto type) {
      using T = decltype(type);
      kernels::copy_strided(y.mutable_data<T>(), x.data<T>() + start, walk);
    });
  }
  return record("flip", {x}, std::move(y), saved(), [axes](const Tensor& dy, Gradients& d) {
    d.add(0, [&] { return flipped(dy, axes); });
  });
}

/// roll with 0 < `shift` < the size of `axis`: two blocks change places.
Tensor rolled(const Tensor& x, std::int64_t shift, int axis) {
  const Shape& shape = x.shape();
  const std::int64_t rest = shape[axis] - shift;
  Tensor y = detail::make_tensor(shape, x.dtype());
  const kernels::Strides from = kernels::strides_of(x);
  const kernels::Strides to = kernels::strides_of(y);
  const auto at = static_cast<std::size_t>(axis);
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    T* const data = y.mutable_data<T>();
    kernels::copy_strided(data + shift * to[at], x.data<T>(),
                          kernels::walk_over(shape.with(axis, rest), to, from));
    kernels::copy_strided(data, x.data<T>() + rest * from[at],
                          kernels::walk_over(shape.with(axis, shift), to, from));
  });
  return record("roll", {x}, std::move(y), saved(), [axis, rest](const Tensor& dy, Gradients& d) {
    d.add(0, [&] { return rolled(dy, rest, axis); });
  });
}

/// `lanes` running sums of `n` elements each, `step` apart; the lanes start `stride` apart. Groups
/// of them run in parallel, because every sum waits for its own last addition. Sum is double for
/// floating types, unsigned for integers, where overflow wraps.
template <std::int64_t group, class Sum, class T>
void running_sums(T* to, const T* from, std::int64_t lanes, std::int64_t stride, std::int64_t n,
                  std::int64_t step, bool reversed) {
  for (std::int64_t first = 0; first < lanes; first += group) {
    const std::int64_t count = std::min(group, lanes - first);
    std::array<Sum, static_cast<std::size_t>(group)> sums{};
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t at = first * stride + (reversed ? n - 1 - i : i) * step;
      for (std::int64_t k = 0; k < count; ++k) {
        Sum& sum = sums[static_cast<std::size_t>(k)];
        sum += static_cast<Sum>(from[at + k * stride]);
        to[at + k * stride] = static_cast<T>(sum);
      }
    }
  }
}

}  // namespace

Tensor permute(const Tensor& x, std::initializer_list<int> axes) {
  return permute(x, std::span<const int>(axes.begin(), axes.size()));
}

Tensor permute(const Tensor& x, std::span<const int> axes) {
  const Shape& shape = x.shape();
  const int rank = shape.rank();
  check_shape(static_cast<int>(axes.size()) == rank,
              "permute: got {} axes, expected all {} of shape {}", axes.size(), rank, shape);
  Order order{};
  unsigned seen = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    order[i] = detail::front_axis("permute", shape, axes[i]);
    const unsigned bit = 1U << order[i];
    check_shape((seen & bit) == 0, "permute: axis {} of shape {} is named twice", axes[i], shape);
    seen |= bit;
  }
  return permuted("permute", x, first(order, rank));
}

Tensor transpose(const Tensor& x, int axis_a, int axis_b) {
  const int a = detail::front_axis("transpose", x.shape(), axis_a);
  const int b = detail::front_axis("transpose", x.shape(), axis_b);
  Order order{};
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]);
  return permuted("transpose", x, first(order, x.rank()));
}

Tensor flip(const Tensor& x, std::initializer_list<int> axes) {
  const Shape& shape = x.shape();
  unsigned reversed = axes.size() == 0 ? (1U << shape.rank()) - 1 : 0;
  for (const int axis : axes) {
    const unsigned bit = 1U << detail::front_axis("flip", shape, axis);
    check_shape((reversed & bit) == 0, "flip: axis {} of shape {} is named twice", axis, shape);
    reversed |= bit;
  }
  return flipped(x, reversed);
}

Tensor roll(const Tensor& x, std::int64_t shift, int axis) {
  const int front = detail::front_axis("roll", x.shape(), axis);
  if (x.elements() == 0) {
    return x;
  }
  const std::int64_t size = x.size(front);
  const std::int64_t places = (shift % size + size) % size;
  return places == 0 ? x : rolled(x, places, front);
}

Tensor pad(const Tensor& x, int axis, std::int64_t before, std::int64_t after, double value) {
  const Shape& shape = x.shape();
  const int front = detail::front_axis("pad", shape, axis);
  check_shape(before >= 0 && after >= 0,
              "pad: got {} elements before and {} after, expected 0 or more; shorten with slice()",
              before, after);
  detail::check_element("pad", value, x.dtype());
  if (before == 0 && after == 0) {
    return x;
  }
  const std::int64_t size = shape[front];
  constexpr std::int64_t most = std::int64_t{1} << 60;
  check_shape(before <= most && after <= most && before + after <= most - size,
              "pad: {} elements before and {} after axis {} of {} are too many", before, after,
              front, shape);
  Tensor y = detail::make_tensor(shape.with(front, before + size + after), x.dtype());
  const kernels::Strides to = kernels::strides_of(y);
  const std::int64_t inner = to[static_cast<std::size_t>(front)];
  const std::int64_t block = y.size(front) * inner;
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    T* const data = y.mutable_data<T>();
    launch([=, elements = y.elements(), value = static_cast<T>(value)] {
      for (std::int64_t begin = 0; begin < elements; begin += block) {
        std::fill_n(data + begin, before * inner, value);
        std::fill_n(data + begin + (before + size) * inner, after * inner, value);
      }
    });
    kernels::copy_strided(data + before * inner, x.data<T>(),
                          kernels::walk_over(shape, to, kernels::strides_of(x)));
  });
  return record("pad", {x}, std::move(y), saved(),
                [front, before, size](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return slice(dy, front, before, before + size); });
                });
}

Tensor cumsum(const Tensor& x, int axis, bool reversed) {
  const Shape& shape = x.shape();
  const int front = detail::front_axis("cumsum", shape, axis);
  const std::int64_t outer = shape.product(0, front);
  const std::int64_t inner = shape.product(front + 1, shape.rank());
  const std::int64_t n = shape[front];
  const Tensor dense = x.is_contiguous() ? x : detail::copy_of(x);
  Tensor y = detail::make_tensor(shape, x.dtype());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    using Sum = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;
    launch([=, to = y.mutable_data<T>(), from = dense.data<T>()] {
      if (inner == 1) {
        running_sums<8, Sum>(to, from, outer, n, n, 1, reversed);
        return;
      }
      for (std::int64_t begin = 0; begin < outer * n * inner; begin += n * inner) {
        running_sums<64, Sum>(to + begin, from + begin, inner, 1, n, inner, reversed);
      }
    });
  });
  return record("cumsum", {x}, std::move(y), saved(),
                [front, reversed](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return cumsum(dy, front, !reversed); });
                });
}

}  // namespace rw
