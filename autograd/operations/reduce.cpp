#include <algorithm>
#include <bitset>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <rewind/autograd/fuse/broadcast.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/fuse/reduction.hpp>
#include <rewind/autograd/kernels/reduce_kernels.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/axis.hpp>

namespace rw {
namespace {

using detail::reduce_runs;
using detail::ReducedRun;
using detail::ReductionPlan;
using detail::sum_over;

ReductionPlan plan(const char* who, const Tensor& x, Axes axes, bool keep) {
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
  return detail::reduction_plan(x.shape(), removed, keep);
}

template <class Pick>
Tensor extreme_over(const Tensor& x, const ReductionPlan& r) {
  return reduce_runs<void>(x, r, []<class T>(const ReducedRun<T>& run, T* to, bool) {
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

Tensor logsumexp_over(const Tensor& x, const ReductionPlan& r) {
  return reduce_runs<void>(x, r, []<class T>(const ReducedRun<T>& run, T* to, bool) {
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
Tensor record_extreme(const char* name, const Tensor& x, Tensor value, const ReductionPlan& r) {
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

void check_not_empty(const char* who, const Tensor& x, const ReductionPlan& r) {
  check_shape(r.count > 0, "{}: {} has no elements along the reduced axes, expected at least one",
              who, x.shape());
}

Tensor record_sum(const char* name, const Tensor& x, const ReductionPlan& r, double divisor) {
  return record(name, {x}, sum_over(x, r, divisor), saved(),
                [shape = x.shape(), kept = r.kept, divisor](const Tensor& dy, Gradients& d) {
                  d.add(0, [&] {
                    const Tensor part = reshape(dy, kept);
                    return detail::broadcast_to(divisor == 1.0 ? part : part / divisor, shape);
                  });
                });
}

template <class Pick>
Tensor index_of_extreme(const char* who, const Tensor& x, int axis, bool keep) {
  const ReductionPlan r = plan(who, x, {axis}, keep);
  check_not_empty(who, x, r);
  Tensor result = detail::make_tensor(r.result, DType::int64);
  dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    Tensor dense = x.detach();
    const int front = detail::front_axis(who, x.shape(), axis);
    const ReducedRun<T> run = detail::run_of<T>(dense, front, front + 1);
    launch([run, to = result.mutable_data<std::int64_t>()] {
      for (std::int64_t o = 0; o < run.outer; ++o) {
        const T* const from = run.data + o * run.outer_step;
        if (run.along_rows()) {
          to[o] = kernels::index_of_extreme<Pick>(from, run.n);
        } else {
          kernels::indices_of_extremes<Pick>(from, run.n, run.step, run.inner, to + o * run.inner);
        }
      }
    });
  });
  return result;
}

/// Whether one (Pick = Larger) or each (Pick = Smaller) of the elements is not 0, as 1 or 0.
template <class Pick>
Tensor truth_over(const char* who, const Tensor& x, Axes axes, bool keep, double of_nothing) {
  const ReductionPlan r = plan(who, x, axes, keep);
  if (r.count == 0) {
    return full(r.result, of_nothing, x.dtype());
  }
  const StopRecording constant;
  return extreme_over<Pick>(not_equal(x, 0), r);
}

/// Moves the reduced axes to the front, as one axis: [n, ...].
Tensor with_reduced_axes_in_front(const Tensor& x, const ReductionPlan& r) {
  std::vector<int> order;
  for (const bool reduced : {true, false}) {
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (r.removes(axis) == reduced) {
        order.push_back(axis);
      }
    }
  }
  const Tensor front = permute(x, std::span<const int>(order));
  return reshape(front, Shape{r.count, r.result.elements()});
}

}  // namespace

Tensor sum(const Tensor& x, Axes axes, bool keep) {
  return record_sum("sum", x, plan("sum", x, axes, keep), 1.0);
}

Tensor mean(const Tensor& x, Axes axes, bool keep) {
  const ReductionPlan r = plan("mean", x, axes, keep);
  return record_sum("mean", x, r, static_cast<double>(r.count));
}

Tensor max(const Tensor& x, Axes axes, bool keep) {
  const ReductionPlan r = plan("max", x, axes, keep);
  check_not_empty("max", x, r);
  return record_extreme("max", x, extreme_over<kernels::Larger>(x, r), r);
}

Tensor min(const Tensor& x, Axes axes, bool keep) {
  const ReductionPlan r = plan("min", x, axes, keep);
  check_not_empty("min", x, r);
  return record_extreme("min", x, extreme_over<kernels::Smaller>(x, r), r);
}

Tensor var(const Tensor& x, Axes axes, bool keep, double correction) {
  const ReductionPlan r = plan("var", x, axes, keep);
  const double degrees = std::max(0.0, static_cast<double>(r.count) - correction);
  const Tensor squares = fuse(
      "squared_deviation", [](auto v, auto m) { return square(v - m); }, x, mean(x, axes, true));
  return record_sum("var", squares, r, degrees);
}

Tensor stddev(const Tensor& x, Axes axes, bool keep, double correction) {
  plan("stddev", x, axes, keep);  // so that errors name stddev
  return fuse(
      "stddev", [](auto v) { return where(equal(v, 0), 0, sqrt(v)); },
      var(x, axes, keep, correction));
}

Tensor norm(const Tensor& x, Axes axes, bool keep, double p) {
  const ReductionPlan r = plan("norm", x, axes, keep);
  check<UsageError>(p >= 1, "norm: got p = {}, expected at least 1", p);
  if (p == 1) {
    return record_sum("norm", abs(x), r, 1.0);
  }
  if (p == 2) {
    return fuse(
        "norm", [](auto s) { return where(equal(s, 0), 0, sqrt(s)); },
        record_sum("sum", square(x), r, 1.0));
  }
  if (std::isinf(p) && r.count > 0) {
    const Tensor magnitude = abs(x);
    return record_extreme("norm", magnitude, extreme_over<kernels::Larger>(magnitude, r), r);
  }
  // Drops the gradients of a power of 0: the first is 0, and the second may be infinite.
  const Tensor powers = fuse(
      "power", [](auto v, auto k) { return where(equal(v, 0), 0, pow(abs(v), k)); }, x, p);
  return fuse(
      "norm", [](auto s, auto k) { return where(equal(s, 0), 0, pow(s, k)); },
      record_sum("sum", powers, r, 1.0), 1 / p);
}

Tensor prod(const Tensor& x, Axes axes, bool keep) {
  const ReductionPlan r = plan("prod", x, axes, keep);
  if (r.count == 0) {
    return record_sum("sum", x, r, 1.0) + 1.0;
  }
  Tensor product = with_reduced_axes_in_front(x, r);
  Tensor rest;  // the factors without a partner
  for (std::int64_t n = r.count; n > 1; n /= 2) {
    if (n % 2 == 1) {
      const Tensor last = slice(product, 0, n - 1, n);
      rest = rest.defined() ? rest * last : last;
    }
    product = slice(product, 0, 0, n / 2) * slice(product, 0, n / 2, n / 2 * 2);
  }
  return reshape(rest.defined() ? product * rest : product, r.result);
}

Tensor any(const Tensor& x, Axes axes, bool keep) {
  return truth_over<kernels::Larger>("any", x, axes, keep, 0.0);
}

Tensor all(const Tensor& x, Axes axes, bool keep) {
  return truth_over<kernels::Smaller>("all", x, axes, keep, 1.0);
}

Tensor logsumexp(const Tensor& x, Axes axes, bool keep) {
  const ReductionPlan r = plan("logsumexp", x, axes, keep);
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
  return index_of_extreme<kernels::Larger>("argmax", x, axis, keep);
}

Tensor argmin(const Tensor& x, int axis, bool keep) {
  return index_of_extreme<kernels::Smaller>("argmin", x, axis, keep);
}

}  // namespace rw
