#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include <rewind/autograd/fuse/fused_operation.hpp>
#include <rewind/autograd/fuse/pointwise_kernel.hpp>
#include <rewind/autograd/kernels/row_kernels.hpp>
#include <rewind/autograd/kernels/strided.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// Runs a kernel over rows and columns whose streams may also repeat a value, accumulate, be
/// summed, or be unwanted. Such streams are buffered: the kernel runs over tiles that fit into the
/// buffers, and after each tile the buffered results accumulate in their destinations. Results are
/// added in the order of their numbers.
template <class T>
class Tiles {
 public:
  /// At most `most` streams will be buffered.
  Tiles(std::int64_t rows, std::int64_t columns, std::size_t most)
      : room_(std::min<std::int64_t>(2048,
                                     memory / static_cast<std::int64_t>(most + 1) / lanes * lanes)),
        stride_((std::clamp<std::int64_t>(columns, 1, room_) + lanes - 1) / lanes * lanes) {
    block_.rows = rows;
    block_.columns = columns;
  }

  void set_argument(std::size_t k, const void* data, std::int64_t row_step) {
    used_arguments_ |= std::uint64_t{1} << k;
    block_.arguments[k] = {const_cast<void*>(data), row_step};
  }
  /// An argument that is the same everywhere.
  void set_number(std::size_t k, T value) {
    T* const buffer = take_buffer();
    fill(buffer, value);
    stand(k, buffer, 0);
  }
  /// An argument with one value per row, starting at `data`, `row_step` apart.
  void set_row_values(std::size_t k, const void* data, std::int64_t row_step) {
    T* const buffer = take_buffer();
    row_values_[row_value_count_++] = {buffer, const_cast<T*>(static_cast<const T*>(data)),
                                       row_step, false};
    stand(k, buffer, stride_);
  }
  void add_result(void* data, std::int64_t row_step, bool accumulate) {
    if (accumulate) {
      take_later(data, row_step, false);
    } else {
      block_.results[results_++] = {data, row_step};
    }
  }
  /// A result whose sum over each row accumulates in one number.
  void add_sum(void* data, std::int64_t row_step) { take_later(data, row_step, true); }
  /// A result that is not wanted.
  void skip_result() {
    standing_results_ |= 1U << results_;
    is_buffered_ = true;
    block_.results[results_++] = {memory_, 0};
  }

  [[gnu::always_inline]] void run(Kernel kernel) {
    if (is_buffered_ && (block_.columns > stride_ || block_.rows > rows_at_once())) {
      run_all(kernel);
    } else {
      run_tile(kernel, block_, 0, 0);
    }
  }

 private:
  using V = simd::Batch<T>;
  static constexpr auto lanes = static_cast<std::int64_t>(V::size);
  static constexpr std::int64_t memory = 16384;  // elements of all buffers

  /// A buffer, and where its contents come from or go to.
  struct Buffered {
    T* buffer;
    T* data;
    std::int64_t row_step;
    bool is_sum;
  };

  /// Buffers of numbers and of unwanted results are shared by all rows.
  std::int64_t rows_at_once() const {
    return row_value_count_ + later_count_ == 0 ? block_.rows : room_ / stride_;
  }
  T* take_buffer() {
    is_buffered_ = true;
    next_buffer_ += room_;
    return next_buffer_;
  }
  void take_later(void* data, std::int64_t row_step, bool is_sum) {
    T* const buffer = take_buffer();
    later_[later_count_++] = {buffer, static_cast<T*>(data), row_step, is_sum};
    standing_results_ |= 1U << results_;
    block_.results[results_++] = {buffer, stride_};
  }
  void stand(std::size_t k, T* buffer, std::int64_t row_step) {
    set_argument(k, buffer, row_step);
    standing_arguments_ |= std::uint64_t{1} << k;
  }
  void fill(T* row, T value) const {
    for (std::int64_t i = 0; i < stride_; i += lanes) {
      V(value).store_aligned(row + i);
    }
  }

  void run_all(Kernel kernel) {
    const std::int64_t rows = block_.rows;
    const std::int64_t columns = block_.columns;
    for (std::int64_t row = 0; row < rows; row += rows_at_once()) {
      for (std::int64_t column = 0; column < columns; column += stride_) {
        Block tile;
        tile.rows = std::min(rows_at_once(), rows - row);
        tile.columns = std::min(stride_, columns - column);
        const auto in_tile = [&](const Block::Stream& stream, bool stands) -> Block::Stream {
          T* const data = static_cast<T*>(stream.data);
          return {stands ? data : data + row * stream.row_step + column, stream.row_step};
        };
        for (std::uint64_t bits = used_arguments_; bits != 0; bits &= bits - 1) {
          const auto k = static_cast<std::size_t>(std::countr_zero(bits));
          tile.arguments[k] = in_tile(block_.arguments[k], ((standing_arguments_ >> k) & 1) != 0);
        }
        for (std::size_t k = 0; k < results_; ++k) {
          tile.results[k] = in_tile(block_.results[k], ((standing_results_ >> k) & 1) != 0);
        }
        run_tile(kernel, tile, row, column);
      }
    }
  }

  [[gnu::always_inline]] void run_tile(Kernel kernel, const Block& tile, std::int64_t row,
                                       std::int64_t column) {
    for (std::size_t k = 0; k < row_value_count_; ++k) {
      const Buffered& values = row_values_[k];
      for (std::int64_t r = 0; r < tile.rows; ++r) {
        fill(values.buffer + r * stride_, values.data[(row + r) * values.row_step]);
      }
    }
    kernel(tile);
    // In the order of the results: two may accumulate in the same place.
    for (std::size_t k = 0; k < later_count_; ++k) {
      const Buffered& result = later_[k];
      T* const to = result.data + row * result.row_step;
      if (!result.is_sum) {
        kernels::add_rows<T>(to + column, result.row_step, result.buffer, stride_, tile.rows,
                             tile.columns);
        continue;
      }
      for (std::int64_t r = 0; r < tile.rows; ++r) {
        to[r * result.row_step] +=
            static_cast<T>(kernels::sum_row<T>(result.buffer + r * stride_, tile.columns));
      }
    }
  }

  std::int64_t room_;    // elements of each buffer
  std::int64_t stride_;  // from row to row of a buffer
  bool is_buffered_ = false;
  std::size_t results_ = 0;
  T* next_buffer_ = memory_;
  std::size_t row_value_count_ = 0;
  std::size_t later_count_ = 0;
  std::uint64_t used_arguments_ = 0;      // bit k: argument k is set
  std::uint64_t standing_arguments_ = 0;  // and is buffered
  std::uint32_t standing_results_ = 0;
  Block block_;
  std::array<Buffered, max_streams> row_values_;
  std::array<Buffered, max_arguments> later_;
  // One buffer after another; unwanted results go to the first.
  alignas(64) T memory_[memory];
};

}  // namespace rw::pointwise

#pragma GCC visibility pop
