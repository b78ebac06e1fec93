#pragma once
// Reductions over any axes of a tensor: the sum for sum_to, and the traversal for all other
// reductions.

#include <bitset>
#include <cstdint>
#include <type_traits>

#include <rewind/autograd/tensor/launch.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// Which axes a reduction removes, and the shapes that result.
struct ReductionPlan {
  std::bitset<Shape::max_rank> axes;
  Shape kept;              // the removed axes have size 1
  Shape result;            // the shape of the value
  std::int64_t count = 1;  // elements that go into one result

  bool removes(int axis) const { return axes[static_cast<std::size_t>(axis)]; }
};

/// The plan that removes `axes`, or leaves them with size 1 where `keep` is set.
ReductionPlan reduction_plan(const Shape& shape, std::bitset<Shape::max_rank> axes, bool keep);

/// Elements of [outer, n, inner] are at o * outer_step + i * step + c; the middle axis is reduced.
template <class T>
struct ReducedRun {
  const T* data;
  std::int64_t outer;
  std::int64_t n;
  std::int64_t inner;
  std::int64_t outer_step;
  std::int64_t step;

  bool along_rows() const { return inner == 1 && (step == 1 || n <= 1); }
};

/// The axes [begin, end) of `x` as the middle axis of three. Copies `x` if its layout does not
/// allow that.
template <class T>
ReducedRun<T> run_of(Tensor& x, int begin, int end) {
  const Shape& shape = x.shape();
  const int last = shape.rank() - 1;
  const bool within_columns = begin == last && end == last + 1;
  if (!x.is_contiguous() && !within_columns && end != last) {
    x = copy_of(x);
  }
  const std::int64_t n = shape.product(begin, end);
  const std::int64_t inner = shape.product(end, shape.rank());
  const std::int64_t step = x.is_contiguous() ? inner : within_columns ? 1 : x.row_stride();
  const std::int64_t outer_step = within_columns ? x.row_stride() : n * step;
  return {x.data<T>(), shape.product(0, begin), n, inner, outer_step, step};
}

/// Reduces each run of adjacent axes in turn, starting with the last, with kernel(ReducedRun, to,
/// is_last), which is launched (Note [Launches]). Intermediate results have the type Between, or
/// x's if that is void.
template <class Between, class Kernel>
Tensor reduce_runs(const Tensor& x, const ReductionPlan& r, const Kernel& kernel) {
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
      Tensor to = make_tensor(finished ? r.result : shape, finished ? x.dtype() : dtype_of<U>);
      const auto reduce_one = [&]<class From>(const ReducedRun<From>& run) {
        if (finished) {
          launch([kernel, run, data = to.mutable_data<T>()] { kernel(run, data, true); });
        } else {
          launch([kernel, run, data = to.mutable_data<U>()] { kernel(run, data, false); });
        }
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

/// The sum over the plan's axes, divided by `divisor`; 0 over no elements. Not recorded.
Tensor sum_over(const Tensor& x, const ReductionPlan& plan, double divisor);

}  // namespace rw::detail

#pragma GCC visibility pop
