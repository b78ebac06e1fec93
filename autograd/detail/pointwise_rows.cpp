#include <rewind/autograd/detail/pointwise_rows.hpp>

namespace rw::pointwise {
namespace {

/// A grid in parts of whole columns, one for each thread: sums over the rows stay within a part.
template <class T>
struct Parts {
  Kernel kernel;
  const Grid& grid;
  std::int64_t columns;  // of each part but the last

  static void run(void* task, int i) {
    const Parts& parts = *static_cast<const Parts*>(task);
    const std::int64_t begin = i * parts.columns;
    Grid part;
    part.rows = parts.grid.rows;
    part.columns = std::min(parts.columns, parts.grid.columns - begin);
    if (part.columns <= 0) {
      return;
    }
    const auto from_begin = [&](Grid::Stream stream) {
      if (stream.data != nullptr) {
        stream.data = static_cast<T*>(stream.data) + begin * stream.column_step;
      }
      return stream;
    };
    for (std::size_t k = 0; k < parts.grid.argument_count; ++k) {
      part.add_argument(from_begin(parts.grid.arguments[k]));
    }
    for (std::size_t k = 0; k < parts.grid.result_count; ++k) {
      part.add_result(from_begin(parts.grid.results[k]));
    }
    run_grid<T>(parts.kernel, part);
  }
};

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
  const std::int64_t registers = (grid_.columns + lanes - 1) / lanes;
  const std::int64_t threads =
      has_sums_ || registers == 1
          ? 1
          : std::min<std::int64_t>(registers, detail::worthwhile_threads(all_work, least_work));
  if (threads == 1) {
    run_grid<T>(kernel, grid_);
    return;
  }
  Parts<T> parts{kernel, grid_, (registers + threads - 1) / threads * lanes};
  detail::run_on_threads(static_cast<int>(threads), &Parts<T>::run, &parts);
}

template void Rows::run<float>(Kernel, std::uint32_t);
template void Rows::run<double>(Kernel, std::uint32_t);

}  // namespace rw::pointwise
