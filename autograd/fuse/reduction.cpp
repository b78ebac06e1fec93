#include <array>

#include <rewind/autograd/fuse/reduction.hpp>
#include <rewind/autograd/kernels/reduce_kernels.hpp>

namespace rw::detail {

ReductionPlan reduction_plan(const Shape& shape, std::bitset<Shape::max_rank> axes, bool keep) {
  ReductionPlan r;
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

Tensor sum_over(const Tensor& x, const ReductionPlan& r, double divisor) {
  return reduce_runs<double>(
      x, r, [divisor]<class T, class To>(const ReducedRun<T>& run, To* to, bool is_last) {
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

}  // namespace rw::detail
