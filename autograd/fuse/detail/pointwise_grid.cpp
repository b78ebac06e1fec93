#include <rewind/autograd/fuse/detail/pointwise_grid.hpp>
#include <rewind/autograd/fuse/detail/pointwise_tiles.hpp>
#include <rewind/autograd/kernels/strided.hpp>

namespace rw::pointwise {
namespace {

/// Packs short rows together, so that a register holds several of them, and unpacks the results:
/// the formula costs more than the copies.
template <class T>
class ShortRows {
 public:
  explicit ShortRows(const Grid& grid) : grid_(grid) {}

  void run(Kernel kernel) {
    const std::int64_t rows_at_once = room / grid_.columns;
    for (std::int64_t first = 0; first < grid_.rows; first += rows_at_once) {
      rows_ = std::min(rows_at_once, grid_.rows - first);
      Block dense;
      dense.rows = 1;
      dense.columns = rows_ * grid_.columns;
      for (std::size_t k = 0; k < grid_.argument_count; ++k) {
        if (grid_.arguments[k].data != nullptr) {
          join(grid_.arguments[k], first, buffers_[k]);
        }
        dense.arguments[k] = {buffers_[k], 0};
      }
      for (std::size_t k = 0; k < grid_.result_count; ++k) {
        dense.results[k] = {buffers_[max_streams + k], 0};
      }
      kernel(dense);
      for (std::size_t k = 0; k < grid_.result_count; ++k) {
        if (grid_.results[k].data != nullptr) {
          spread(grid_.results[k], first, buffers_[max_streams + k]);
        }
      }
    }
  }

 private:
  using V = simd::Batch<T>;
  static constexpr std::int64_t room = 128;

  void join(const Grid::Stream& stream, std::int64_t first, T* buffer) const {
    const T* const from = static_cast<const T*>(stream.data) + first * stream.row_step;
    if (stream.column_step != 0) {
      kernels::copy_rows<T>(buffer, grid_.columns, from, stream.row_step, rows_, grid_.columns);
      return;
    }
    for (std::int64_t row = 0; row < rows_; ++row) {
      V(from[row * stream.row_step]).store_unaligned(buffer + row * grid_.columns);
    }
  }

  void spread(const Grid::Stream& stream, std::int64_t first, const T* buffer) const {
    T* to = static_cast<T*>(stream.data) + first * stream.row_step;
    const std::int64_t columns = grid_.columns;
    if (stream.column_step != 0 && !stream.accumulate) {
      kernels::copy_rows<T>(to, stream.row_step, buffer, columns, rows_, columns);
      return;
    }
    for (std::int64_t row = 0; row < rows_; ++row, to += stream.row_step, buffer += columns) {
      if (stream.column_step == 0) {
        for (std::int64_t i = 0; i < columns; ++i) {
          *to += buffer[i];
        }
        continue;
      }
      const auto part = static_cast<std::size_t>(columns);
      simd::store_part(V::load_unaligned(buffer) + simd::load_part(to, part), to, part);
    }
  }

  const Grid& grid_;
  std::int64_t rows_ = 0;
  // Whole registers are written and read for each row.
  alignas(64) T buffers_[max_streams + max_arguments][room + static_cast<std::int64_t>(V::size)];
};

template <class T>
void run_long_rows(Kernel kernel, const Grid& grid) {
  const auto is_buffered = [](const Grid::Stream& stream) {
    return stream.column_step == 0 || stream.accumulate;
  };
  const auto buffered = [&](const auto& streams, std::size_t count) {
    return static_cast<std::size_t>(
        std::count_if(streams.begin(), streams.begin() + count, is_buffered));
  };
  Tiles<T> tiles(
      grid.rows, grid.columns,
      buffered(grid.arguments, grid.argument_count) + buffered(grid.results, grid.result_count));
  for (std::size_t k = 0; k < grid.argument_count; ++k) {
    const Grid::Stream& stream = grid.arguments[k];
    if (stream.data == nullptr) {
      continue;
    }
    if (stream.column_step != 0) {
      tiles.set_argument(k, stream.data, stream.row_step);
    } else if (stream.row_step != 0) {
      tiles.set_row_values(k, stream.data, stream.row_step);
    } else {
      tiles.set_number(k, *static_cast<const T*>(stream.data));
    }
  }
  for (std::size_t k = 0; k < grid.result_count; ++k) {
    const Grid::Stream& stream = grid.results[k];
    if (stream.data == nullptr) {
      tiles.skip_result();
    } else if (stream.column_step != 0) {
      tiles.add_result(stream.data, stream.row_step, stream.accumulate);
    } else {
      tiles.add_sum(stream.data, stream.row_step);
    }
  }
  tiles.run(kernel);
}

}  // namespace

template <class T>
void run_grid(Kernel kernel, const Grid& grid) {
  constexpr auto lanes = static_cast<std::int64_t>(simd::Batch<T>::size);
  if (grid.rows > 1 && 2 * grid.columns <= lanes) {
    ShortRows<T>(grid).run(kernel);
  } else {
    run_long_rows<T>(kernel, grid);
  }
}

template void run_grid<float>(Kernel, const Grid&);
template void run_grid<double>(Kernel, const Grid&);

}  // namespace rw::pointwise
