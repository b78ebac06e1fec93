#include <rewind/autograd/fuse/detail/pointwise_rows.hpp>

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

}  // namespace

template <class T>
void Rows::run(Kernel kernel, std::uint32_t work) {
  constexpr auto lanes = static_cast<std::int64_t>(simd::Batch<T>::size);
  if (grid_.rows == 0 || grid_.columns == 0) {
    return;
  }
  if (is_gapless_) {
    grid_.columns *= grid_.rows;
    grid_.rows = 1;
  }
  const double all_work =
      static_cast<double>(grid_.rows) * static_cast<double>(grid_.columns) * work;
  const int threads =
      has_sums_ || grid_.columns <= lanes ? 1 : detail::worthwhile_threads(all_work, least_work);
  if (threads == 1) {
    run_grid<T>(kernel, grid_);
    return;
  }
  // Parts of whole columns: sums over the rows stay within a part.
  detail::run_in_parts(grid_.columns, lanes, threads,
                       [&](std::int64_t begin, std::int64_t columns) {
                         run_grid<T>(kernel, columns_of<T>(grid_, begin, columns));
                       });
}

template void Rows::run<float>(Kernel, std::uint32_t);
template void Rows::run<double>(Kernel, std::uint32_t);

}  // namespace rw::pointwise
