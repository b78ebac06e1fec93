#include <algorithm>

#include <rewind/autograd/fuse/detail/pointwise_axes.hpp>
#include <rewind/autograd/fuse/detail/pointwise_pass.hpp>

namespace rw::pointwise {
namespace {

/// `columns` columns of `grid` from `begin` on.
template <class T>
Grid columns_of(const Grid& grid, std::int64_t begin, std::int64_t columns) {
  Grid part;
  part.rows = grid.rows;
  part.columns = columns;
  const auto from_begin = [&](Grid::Stream stream) {
    if (stream.data != nullptr) {
      stream.data = static_cast<T*>(stream.data) + begin * stream.column_step;
    }
    return stream;
  };
  for (std::size_t k = 0; k < grid.argument_count; ++k) {
    part.add_argument(from_begin(grid.arguments[k]));
  }
  for (std::size_t k = 0; k < grid.result_count; ++k) {
    part.add_result(from_begin(grid.results[k]));
  }
  return part;
}

/// Runs a kernel over the grids that `grid_at(number)` gives, all of the same size.
template <class T, class GridAt>
void run_grids(Kernel kernel, std::uint32_t work, std::int64_t grids, const GridAt& grid_at) {
  constexpr auto lanes = static_cast<std::int64_t>(simd::Batch<T>::size);
  const Grid& first = grid_at(0);
  const std::int64_t columns = first.columns;
  const bool has_sums_of_rows =
      std::any_of(first.results.begin(), first.results.begin() + first.result_count,
                  [](const Grid::Stream& result) { return result.column_step == 0; });
  const double all_work = static_cast<double>(grids) * static_cast<double>(first.rows) *
                          static_cast<double>(columns) * work;
  const int threads =
      has_sums_of_rows || columns <= lanes ? 1 : detail::worthwhile_threads(all_work, least_work);
  if (threads == 1) {
    for (std::int64_t number = 0; number < grids; ++number) {
      run_grid<T>(kernel, grid_at(number));
    }
    return;
  }
  // Each thread takes the same columns of all grids: sums over rows and grids stay within a thread.
  detail::run_in_parts(columns, lanes, threads, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t number = 0; number < grids; ++number) {
      run_grid<T>(kernel, columns_of<T>(grid_at(number), begin, count));
    }
  });
}

}  // namespace

template <class T>
void Pass::run(Kernel kernel, std::uint32_t work) {
  if (grid_.rows == 0 || grid_.columns == 0) {
    return;
  }
  if (needs_axes_) {
    run_over_axes<T>(kernel, work);
    return;
  }
  if (is_gapless_) {
    grid_.columns *= grid_.rows;
    grid_.rows = 1;
  }
  run_grids<T>(kernel, work, 1, [&](std::int64_t) -> const Grid& { return grid_; });
}

template <class T>
void Pass::run_over_axes(Kernel kernel, std::uint32_t work) const {
  const auto stream_of = [&](const Grid::Stream& stream, const Extent& extent) {
    return Axes::Stream{
        stream.data,
        extent.shape == nullptr ? Steps{} : steps_of(*extent.shape, extent.row_stride, common_),
        stream.accumulate};
  };
  Axes axes(common_);
  for (std::size_t k = 0; k < grid_.argument_count; ++k) {
    axes.add_argument(stream_of(grid_.arguments[k], extents_[k]));
  }
  for (std::size_t k = 0; k < grid_.result_count; ++k) {
    axes.add_result(stream_of(grid_.results[k], extents_[max_streams + k]));
  }
  axes.collapse();
  run_grids<T>(kernel, work, axes.grids(),
               [&](std::int64_t number) { return axes.grid<T>(number); });
}

template void Pass::run<float>(Kernel, std::uint32_t);
template void Pass::run<double>(Kernel, std::uint32_t);

}  // namespace rw::pointwise
