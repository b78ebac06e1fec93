#pragma once

#include <cstddef>

#include <rewind/autograd/fuse/detail/pointwise_grid.hpp>
#include <rewind/autograd/kernels/parallel.hpp>
#include <rewind/autograd/tensor/shape.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// A number as a stream.
inline Grid::Stream repeated(const void* number) {
  return {const_cast<void*>(number), 0, 0, false};
}
/// For an argument that is not read, and for a result that nobody wants.
inline constexpr Grid::Stream nowhere{nullptr, 0, 1, false};

/// Elements times work from which on a formula may be worth a thread of its own: one or two
/// microseconds.
inline constexpr double least_work = 0x10000;

/// Whether a formula over that many elements is no task for several threads.
inline bool runs_alone(std::int64_t elements, std::uint32_t work) {
  return detail::worthwhile_threads(static_cast<double>(elements) * work, least_work) == 1;
}

/// A grid over the rows of one shape, built stream by stream. Streams are described in the order
/// of their numbers.
class Rows {
 public:
  explicit Rows(const Shape& common) : common_(common) {
    grid_.rows = common.rows();
    grid_.columns = common.columns();
  }

  /// An argument or a result that the rows walk without further ado: of the common shape, one row
  /// for all of them, or a single number. False for any other.
  bool add_argument(const void* data, const Shape& shape, std::int64_t row_stride) {
    return place(grid_.arguments[grid_.argument_count++], const_cast<void*>(data), shape,
                 row_stride, false);
  }
  bool add_result(void* data, const Shape& shape, std::int64_t row_stride, bool accumulate) {
    return place(grid_.results[grid_.result_count++], data, shape, row_stride, accumulate);
  }
  void add_number(const void* number) { grid_.add_argument(repeated(number)); }
  /// An argument that the formula does not read.
  void skip_argument() { grid_.add_argument(nowhere); }
  void skip_result() { grid_.add_result(nowhere); }

  /// Runs a kernel over the grid: rows that follow each other without gaps as one, on several
  /// threads where that is worth their waking. `work` is that of one element.
  template <class T>
  void run(Kernel kernel, std::uint32_t work);

 private:
  bool place(Grid::Stream& stream, void* data, const Shape& shape, std::int64_t row_stride,
             bool accumulate) {
    if (&shape == &common_ || shape == common_) {
      stream = {data, row_stride, 1, accumulate};
      is_gapless_ = is_gapless_ && row_stride == grid_.columns;
      return true;
    }
    if (shape.elements() == 1) {
      stream = {data, 0, 0, accumulate};
      has_sums_ = has_sums_ || accumulate;
      return true;
    }
    stream = {data, 0, 1, accumulate};
    is_gapless_ = is_gapless_ && grid_.rows == 1;
    return shape.columns() == grid_.columns && shape.elements() == shape.columns();
  }

  const Shape& common_;
  Grid grid_;
  bool is_gapless_ = true;
  bool has_sums_ = false;  // a result is the sum of a whole row or more
};

extern template void Rows::run<float>(Kernel, std::uint32_t);
extern template void Rows::run<double>(Kernel, std::uint32_t);

}  // namespace rw::pointwise

#pragma GCC visibility pop
