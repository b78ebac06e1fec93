#pragma once

#include <cstddef>

#include <rewind/autograd/pointwise_kernel.hpp>
#include <rewind/autograd/tensor.hpp>

namespace rw::pointwise {

/// All elements of a tensor without gaps as one row.
inline Block::Stream whole(const Tensor& tensor) { return {tensor.body().data, 0, 1, false}; }
inline Block::Stream repeated(const void* number) {
  return {const_cast<void*>(number), 0, 0, false};
}
/// For a result that nobody wants.
inline constexpr Block::Stream nowhere{nullptr, 0, 1, false};

/// A block over the rows of one shape, built stream by stream. Streams are described in the order
/// of their numbers.
class Rows {
 public:
  explicit Rows(const Shape& common) : common_(common) {
    block_.rows = common.rows();
    block_.columns = common.columns();
  }

  /// Elements times work from which on a formula may be worth a thread of its own: one or two
  /// microseconds.
  static constexpr std::int64_t least_work = 0x10000;

  /// An argument or a result that the rows walk without further ado: of the common shape, one row
  /// for all of them, or a single number. False for any other.
  bool add_argument(const void* data, const Shape& shape, std::int64_t row_stride) {
    return place(block_.arguments[arguments_++], const_cast<void*>(data), shape, row_stride, false);
  }
  bool add_result(void* data, const Shape& shape, std::int64_t row_stride, bool accumulate) {
    return place(block_.results[results_++], data, shape, row_stride, accumulate);
  }
  void add_number(const void* number) { block_.arguments[arguments_++] = repeated(number); }
  void skip_result() { block_.results[results_++] = nowhere; }

  /// Runs a formula over the block: rows that follow each other without gaps as one, rows much
  /// shorter than a register several at a time, on several threads where that is worth their
  /// waking. `work` is that of one element.
  template <class T>
  void run(void (*formula)(const Block&), std::uint32_t work);

 private:
  bool place(Block::Stream& stream, void* data, const Shape& shape, std::int64_t row_stride,
             bool accumulate) {
    if (&shape == &common_ || shape == common_) {
      stream = {data, row_stride, 1, accumulate};
      is_gapless_ = is_gapless_ && row_stride == block_.columns;
      return true;
    }
    if (shape.elements() == 1) {
      stream = {data, 0, 0, accumulate};
      has_sums_ = has_sums_ || accumulate;
      return true;
    }
    stream = {data, 0, 1, accumulate};
    is_gapless_ = is_gapless_ && block_.rows == 1;
    return shape.columns() == block_.columns && shape.elements() == shape.columns();
  }

  const Shape& common_;
  Block block_;
  std::size_t arguments_ = 0;
  std::size_t results_ = 0;
  bool is_gapless_ = true;
  bool has_sums_ = false;  // a result is the sum of a whole row or more
};

extern template void Rows::run<float>(void (*)(const Block&), std::uint32_t);
extern template void Rows::run<double>(void (*)(const Block&), std::uint32_t);

}  // namespace rw::pointwise
