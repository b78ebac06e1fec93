#pragma once

#include <cstddef>

#include <rewind/autograd/fuse/detail/pointwise_grid.hpp>
#include <rewind/autograd/kernels/parallel.hpp>
#include <rewind/autograd/tensor/shape.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// Memory for numbers, which streams repeat.
template <class T>
using Scalars = std::array<T, max_streams>;

/// Elements times work from which a formula may be worth another thread: one or two microseconds.
inline constexpr double least_work = 0x10000;

/// Whether a formula over that many elements is not worth several threads.
inline bool runs_alone(std::int64_t elements, std::uint32_t work) {
  return detail::worthwhile_threads(static_cast<double>(elements) * work, least_work) == 1;
}

/// One run of a kernel over arguments and results that broadcast to a common shape. They are added
/// in the order of their numbers.
class Pass {
 public:
  /// `common` and the shapes below must outlive the pass.
  explicit Pass(const Shape& common) : common_(common) {
    grid_.rows = common.rows();
    grid_.columns = common.columns();
  }

  void add_argument(const void* data, const Shape& shape, std::int64_t row_stride) {
    extents_[grid_.argument_count] = {&shape, row_stride};
    place(grid_.arguments[grid_.argument_count++], const_cast<void*>(data), shape, row_stride,
          false);
  }
  void add_number(const void* number) {
    extents_[grid_.argument_count].shape = nullptr;
    grid_.add_argument({const_cast<void*>(number), 0, 0, false});
  }
  /// An argument that the formula does not read.
  void skip_argument() {
    extents_[grid_.argument_count].shape = nullptr;
    grid_.add_argument(nowhere);
  }
  /// A result that does not have the common shape must accumulate.
  void add_result(void* data, const Shape& shape, std::int64_t row_stride, bool accumulate) {
    extents_[max_streams + grid_.result_count] = {&shape, row_stride};
    place(grid_.results[grid_.result_count++], data, shape, row_stride, accumulate);
  }
  /// A result that is not wanted.
  void skip_result() {
    extents_[max_streams + grid_.result_count].shape = nullptr;
    grid_.add_result(nowhere);
  }

  /// Runs the kernel, on several threads if that is worth waking them. `work` is the work per
  /// element.
  template <class T>
  void run(Kernel kernel, std::uint32_t work);

 private:
  /// The extent of an argument or a result; `shape` is null for a number and if skipped.
  struct Extent {
    const Shape* shape;
    std::int64_t row_stride;
  };

  /// Makes a stream over the rows and columns of the common shape. That is enough for the common
  /// shape itself, one row repeated for all rows, or a single number; other shapes need axes.
  void place(Grid::Stream& stream, void* data, const Shape& shape, std::int64_t row_stride,
             bool accumulate) {
    if (&shape == &common_ || shape == common_) {
      stream = {data, row_stride, 1, accumulate};
      is_gapless_ = is_gapless_ && row_stride == grid_.columns;
    } else if (shape.elements() == 1) {
      stream = {data, 0, 0, accumulate};
    } else {
      stream = {data, 0, 1, accumulate};
      is_gapless_ = is_gapless_ && grid_.rows == 1;
      needs_axes_ =
          needs_axes_ || shape.columns() != grid_.columns || shape.elements() != shape.columns();
    }
  }
  template <class T>
  void run_over_axes(Kernel kernel, std::uint32_t work) const;

  const Shape& common_;
  Grid grid_;
  bool is_gapless_ = true;
  bool needs_axes_ = false;
  std::array<Extent, max_streams + max_arguments> extents_;  // of arguments, then of results
};

extern template void Pass::run<float>(Kernel, std::uint32_t);
extern template void Pass::run<double>(Kernel, std::uint32_t);

}  // namespace rw::pointwise

#pragma GCC visibility pop
