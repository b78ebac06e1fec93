#include <algorithm>
#include <array>
#include <bitset>
#include <limits>

#include <rewind/autograd/detail/axis.hpp>
#include <rewind/autograd/detail/reduce_kernels.hpp>
#include <rewind/autograd/pointwise.hpp>
#include <rewind/autograd/record.hpp>
#include <rewind/autograd/reduce.hpp>
#include <rewind/autograd/tape.hpp>
#include <rewind/autograd/views.hpp>

namespace rw {
namespace {

/// Which axes a reduction removes, and the shapes that result.
struct Plan {
  std::bitset<Shape::max_rank> axes;
  Shape kept;              // the removed axes have size 1
  Shape result;            // the shape of the value
  std::int64_t count = 1;  // elements that go into one result

  bool removes(int axis) const { return axes[static_cast<std::size_t>(axis)]; }
};

Plan plan(const Shape& shape, std::bitset<Shape::max_rank> axes, bool keep) {
  Plan r;
  r.axes = axes;
  std::array<std::int64_t, Shape::max_rank> kept{};
  std::array<std::int64_t, Shape::max_rank> left{};
  std::size_t left_rank = 0;
  const auto rank = static_cast<std::size_t>(shape.rank());
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t size = shape.sizes()[axis];
    kept[axis] = axes[axis] ? 1 : size;
    if (axes[axis]) {
      r.count *= size;
    } else {
      left[left_rank++] = size;
    }
  }
  r.kept = Shape(std::span<const std::int64_t>(kept.data(), rank));
  r.result = keep ? r.kept : Shape(std::span<const std::int64_t>(left.data(), left_rank));
  return r;
}

Plan plan(const char* who, const Tensor& x, Axes axes, bool keep) {
  check<UsageError>(is_floating(x.dtype()),
                    "{}: got an int64 tensor, expected float32 or float64; convert with to()", who);
  std::bitset<Shape::max_rank> removed;
  for (const int axis : axes) {
    const auto front = static_cast<std::size_t>(detail::front_axis(who, x.shape(), axis));
    check_shape(!removed[front], "{}: axis {} of {} is given twice", who, axis, x.shape());
    removed.set(front);
  }
  for (int axis = 0; axes.size() == 0 && axis < x.rank(); ++axis) {
    removed.set(static_cast<std::size_t>(axis));
  }
  return plan(x.shape(), removed, keep);
}

/// Elements of [outer, n, inner] lie at o * outer_step + i * step + c; the middle axis is to be
/// reduced.
template <class T>
struct Run {
  const T* data;
  std::int64_t outer;
  std::int64_t n;
  std::int64_t inner;
  std::int64_t outer_step;
  std::int64_t step;

  bool along_rows() const { return inner == 1 && (step == 1 || n <= 1); }
};

/// The axes [begin, end) of `x` as the middle axis of three. Copies `x` where its layout does not
/// allow that.
template <class T>
Run<T> run_of(Tensor& x, int begin, int end) {
  const Shape& shape = x.shape();
  const int last = shape.rank() - 1;
  const bool within_columns = begin == last && end == last + 1;
  if (!x.is_contiguous() && !within_columns && end != last) {
    x = detail::copy_of(x);
  }
  const std::int64_t n = shape.product(begin, end);
  const std::int64_t inner = shape.product(end, shape.rank());
  const std::int64_t step = x.is_contiguous() ? inner : within_columns ? 1 : x.row_stride();
  const std::int64_t outer_step = within_columns ? x.row_stride() : n * step;
  return {x.data<T>(), shape.product(0, begin), n, inner, outer_step, step};
}

/// Reduces one run of neighbouring axes after the other, from the last, with kernel(Run, to,
/// is_last). What lies between two runs has the type Between, or x's if that is void.
template <class Between, class Kernel>
Tensor reduce_runs(const Tensor& x, const Plan& r, Kernel&& kernel) {
  return dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    using U = std::conditional_t<std::is_void_v<Between>, T, Between>;
    Tensor current = x.detach();
    bool started = false;
    Shape shape = x.shape();
    int end = x.rank();
    for (bool finished = false; !finished;) {
      while (end > 0 && !r.removes(end - 1)) {
        --end;
      }
      int begin = end;
      while (begin > 0 && r.removes(begin - 1)) {
        --begin;
        shape = shape.with(begin, 1);
      }
      int next = begin;
      while (next > 0 && !r.removes(next - 1)) {
        --next;
      }
      finished = next == 0;
      Tensor to =
          detail::make_tensor(finished ? r.result : shape, finished ? x.dtype() : dtype_of<U>);
      const auto reduce_one = [&]<class From>(const Run<From>& run) {
        finished ? kernel(run, to.mutable_data<T>(), true)
                 : kernel(run, to.mutable_data<U>(), false);
      };
      started ? reduce_one(run_of<U>(current, begin, end))
              : reduce_one(run_of<T>(current, begin, end));
      current = std::move(to);
      end = begin;
      started = true;
    }
    return current;
  });
}

Tensor sum_over(const Tensor& x, const Plan& r, double divisor) {
  return reduce_runs<double>(x, r, [&]<class T, class To>(const Run<T>& run, To* to, bool is_last) {
    const double by = is_last ? divisor : 1.0;
    for (std::int64_t o = 0; o < run.outer; ++o) {
      const T* const from = run.data + o * run.outer_step;
      if (run.along_rows()) {
        to[o] = kernels::divided_sum_of_row<To>(from, run.n, by);
      } else {
        kernels::sum_columns(from, run.n, run.step, run.inner, by, to + o * run.inner);
      }
    }
  });
}

template <class Pick>
Tensor extreme_over(const Tensor& x, const Plan& r) {
  return reduce_runs<void>(x, r, []<class T>(const Run<T>& run, T* to, bool) {
    for (std::int64_t o = 0; o < run.outer; ++o) {
      const T* const from = run.data + o * run.outer_step;
      if (run.along_rows()) {
        to[o] = kernels::extreme_of_row<Pick>(from, run.n);
      } else {
        kernels::extremes_of_columns<Pick>(from, run.n, run.step, run.inner, to + o * run.inner);
      }
    }
  });
}

Tensor logsumexp_over(const Tensor& x, const Plan& r) {
  return reduce_runs<void>(x, r, []<class T>(const Run<T>& run, T* to, bool) {
    for (std::int64_t o = 0; o < run.outer; ++o) {
      const T* const from = run.data + o * run.outer_step;
      if (run.along_rows()) {
        to[o] = kernels::logsumexp_of_row(from, run.n);
      } else {
        kernels::logsumexp_of_columns(from, run.n, run.step, run.inner, to + o * run.inner);
      }
    }
  });
}

/// Records max or min: elements equal to the result share its gradient.
Tensor record_extreme(const char* name, const Tensor& x, Tensor value, const Plan& r) {
  return record(name, {x}, value, saved(x, value),
                [r](const Tensor& dy, Gradients& d, const Tensor& x_, const Tensor& y) {
                  d.add(0, [&] {
                    Tensor share;
                    {
                      const StopRecording constant;
                      const Tensor ties = equal(x_, reshape(y, r.kept));
                      share = ties / reshape(sum_over(ties, r, 1.0), r.kept);
                    }
                    return reshape(dy, r.kept) * share;
                  });
                });
}

void check_not_empty(const char* who, const Tensor& x, const Plan& r) {
  check_shape(r.count > 0, "{}: {} has no elements along the reduced axes, expected at least one",
              who, x.shape());
}

Tensor record_sum(const char* name, const Tensor& x, const Plan& r, double divisor) {
  return record(name, {x}, sum_over(x, r, divisor), saved(),
                [shape = x.shape(), kept = r.kept, divisor](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] {
                    const Tensor part = reshape(dy, kept);
                    return detail::stretched(divisor == 1.0 ? part : part / divisor, shape);
                  });
                });
}

}  // namespace

Tensor sum(const Tensor& x, Axes axes, bool keep) {
  return record_sum("sum", x, plan("sum", x, axes, keep), 1.0);
}

Tensor mean(const Tensor& x, Axes axes, bool keep) {
  const Plan r = plan("mean", x, axes, keep);
  return record_sum("mean", x, r, static_cast<double>(r.count));
}

Tensor max(const Tensor& x, Axes axes, bool keep) {
  const Plan r = plan("max", x, axes, keep);
  check_not_empty("max", x, r);
  return record_extreme("max", x, extreme_over<kernels::Larger>(x, r), r);
}

Tensor min(const Tensor& x, Axes axes, bool keep) {
  const Plan r = plan("min", x, axes, keep);
  check_not_empty("min", x, r);
  return record_extreme("min", x, extreme_over<kernels::Smaller>(x, r), r);
}

Tensor var(const Tensor& x, Axes axes, bool keep, double correction) {
  const Plan r = plan("var", x, axes, keep);
  const double degrees = std::max(0.0, static_cast<double>(r.count) - correction);
  const Tensor squares = fuse(
      "squared_deviation", [](auto v, auto m) { return square(v - m); }, x, mean(x, axes, true));
  return record_sum("var", squares, r, degrees);
}

Tensor logsumexp(const Tensor& x, Axes axes, bool keep) {
  const Plan r = plan("logsumexp", x, axes, keep);
  const Tensor y = logsumexp_over(x, r);
  return record(
      "logsumexp", {x}, y, saved(x, y),
      [kept = r.kept](const Tensor& dy, Gradients& d, const Tensor& x_, const Tensor& y_) {
        d.add(0, [&] {
          return fuse(
              "logsumexp_gradient",
              [](auto g, auto v, auto l) {
                constexpr double infinity = std::numeric_limits<double>::infinity();
                return g * exp(v - where(equal(l, -infinity), 0, l));
              },
              reshape(dy, kept), x_, reshape(y_, kept));
        });
      });
}

Tensor argmax(const Tensor& x, int axis, bool keep) {
  const Plan r = plan("argmax", x, {axis}, keep);
  check_not_empty("argmax", x, r);
  Tensor result = detail::make_tensor(r.result, DType::int64);
  dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    Tensor dense = x.detach();
    const int front = detail::front_axis("argmax", x.shape(), axis);
    const Run<T> run = run_of<T>(dense, front, front + 1);
    auto* const to = result.mutable_data<std::int64_t>();
    for (std::int64_t o = 0; o < run.outer; ++o) {
      const T* const from = run.data + o * run.outer_step;
      if (run.along_rows()) {
        to[o] = kernels::index_of_largest(from, run.n);
      } else {
        kernels::indices_of_largest(from, run.n, run.step, run.inner, to + o * run.inner);
      }
    }
  });
  return result;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) {
    return x;
  }
  check<UsageError>(is_floating(x.dtype()),
                    "sum_to: got an int64 tensor, expected float32 or float64; convert with to()");
  const int shift = x.rank() - shape.rank();
  std::bitset<Shape::max_rank> axes;
  bool fits = shift >= 0;
  for (int axis = 0; fits && axis < x.rank(); ++axis) {
    const bool stretched = axis < shift || (shape[axis - shift] == 1 && x.size(axis) != 1);
    fits = stretched || shape[axis - shift] == x.size(axis);
    axes[static_cast<std::size_t>(axis)] = stretched;
  }
  check_shape(fits, "sum_to: {} does not broadcast to {}", shape, x.shape());
  Plan r = plan(x.shape(), axes, true);
  r.result = shape;
  return record("sum_to", {x}, sum_over(x, r, 1.0), saved(),
                [from = x.shape()](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return expand(dy, from); });
                });
}

Tensor detail::stretched(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : expand(x, shape);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  const int shift = shape.rank() - x.rank();
  bool fits = shift >= 0;
  for (int axis = 0; fits && axis < x.rank(); ++axis) {
    fits = x.size(axis) == 1 || x.size(axis) == shape[axis + shift];
  }
  check_shape(fits, "expand: {} does not broadcast to {}", x.shape(), shape);
  Tensor y = detail::make_tensor(shape, x.dtype());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    kernels::expand_into<T>(y.mutable_data<T>(), shape, x);
  });
  return record("expand", {x}, std::move(y), saved(),
                [from = x.shape()](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] { return sum_to(dy, from); });
                });
}

}  // namespace rw
