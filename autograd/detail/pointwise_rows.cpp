#include <rewind/autograd/detail/pointwise_rows.hpp>
#include <rewind/autograd/detail/strided.hpp>
#include <rewind/autograd/detail/threads.hpp>

namespace rw::pointwise {
namespace {

/// Copies short rows together, so that a register holds several of them, and the results apart
/// again: the formula costs more than the copies.
template <class T>
class ShortRows {
 public:
  ShortRows(const Block& block, std::size_t arguments, std::size_t results)
      : block_(block), arguments_(arguments), results_(results) {}

  void run(void (*run_block)(const Block&)) {
    const std::int64_t rows_at_once = room / block_.columns;
    for (std::int64_t first = 0; first < block_.rows; first += rows_at_once) {
      rows_ = std::min(rows_at_once, block_.rows - first);
      Block dense;
      dense.rows = 1;
      dense.columns = rows_ * block_.columns;
      for (std::size_t k = 0; k < arguments_; ++k) {
        dense.arguments[k] = joined(block_.arguments[k], first, argument_buffers_[k]);
      }
      for (std::size_t k = 0; k < results_; ++k) {
        const bool wanted = block_.results[k].data != nullptr;
        dense.results[k] = {wanted ? result_buffers_[k] : nullptr, 0, 1, false};
      }
      run_block(dense);
      for (std::size_t k = 0; k < results_; ++k) {
        if (block_.results[k].data != nullptr) {
          spread(block_.results[k], first, result_buffers_[k]);
        }
      }
    }
  }

 private:
  using V = simd::Batch<T>;
  static constexpr std::int64_t room = 128;
  // Whole registers are written and read for each row.
  using Buffer = T[room + static_cast<std::int64_t>(V::size)];

  Block::Stream joined(const Block::Stream& stream, std::int64_t first, T* buffer) const {
    if (stream.column_step == 0 && stream.row_step == 0) {
      return stream;
    }
    const T* from = static_cast<const T*>(stream.data) + first * stream.row_step;
    if (stream.column_step != 0) {
      kernels::copy_rows<T>(buffer, block_.columns, from, stream.row_step, rows_, block_.columns);
    } else {
      for (std::int64_t row = 0; row < rows_; ++row) {
        V(from[row * stream.row_step]).store_unaligned(buffer + row * block_.columns);
      }
    }
    return {buffer, 0, 1, false};
  }

  void spread(const Block::Stream& stream, std::int64_t first, const T* buffer) const {
    T* to = static_cast<T*>(stream.data) + first * stream.row_step;
    const auto columns = static_cast<std::size_t>(block_.columns);
    if (stream.column_step != 0 && !stream.accumulate) {
      kernels::copy_rows<T>(to, stream.row_step, buffer, block_.columns, rows_, block_.columns);
      return;
    }
    for (std::int64_t row = 0; row < rows_; ++row, to += stream.row_step, buffer += columns) {
      if (stream.column_step == 0) {
        for (std::size_t i = 0; i < columns; ++i) {
          *to += buffer[i];
        }
        continue;
      }
      simd::store_part(V::load_unaligned(buffer) + simd::load_part(to, columns), to, columns);
    }
  }

  const Block& block_;
  std::size_t arguments_;
  std::size_t results_;
  std::int64_t rows_ = 0;
  alignas(64) Buffer argument_buffers_[max_streams];
  alignas(64) Buffer result_buffers_[max_arguments];
};

/// A block in parts of whole columns, one for each thread: sums over the rows stay within a part.
template <class T>
struct Parts {
  void (*formula)(const Block&);
  const Block& block;
  std::size_t arguments;
  std::size_t results;
  std::int64_t columns;  // of each part but the last

  static void run(void* task, int i) {
    const Parts& parts = *static_cast<const Parts*>(task);
    const std::int64_t begin = i * parts.columns;
    Block part;
    part.rows = parts.block.rows;
    part.columns = std::min(parts.columns, parts.block.columns - begin);
    const auto from_begin = [&](Block::Stream stream) {
      if (stream.data != nullptr) {
        stream.data = static_cast<T*>(stream.data) + begin * stream.column_step;
      }
      return stream;
    };
    std::transform(parts.block.arguments.begin(), parts.block.arguments.begin() + parts.arguments,
                   part.arguments.begin(), from_begin);
    std::transform(parts.block.results.begin(), parts.block.results.begin() + parts.results,
                   part.results.begin(), from_begin);
    if (part.columns > 0) {
      parts.formula(part);
    }
  }
};

}  // namespace

template <class T>
void Rows::run(void (*formula)(const Block&), std::uint32_t work) {
  constexpr auto lanes = static_cast<std::int64_t>(simd::Batch<T>::size);
  if (block_.rows == 0 || block_.columns == 0) {
    return;
  }
  if (is_gapless_) {
    block_.columns *= block_.rows;
    block_.rows = 1;
  }
  if (block_.rows > 1 && 2 * block_.columns <= lanes) {
    ShortRows<T>(block_, arguments_, results_).run(formula);
    return;
  }
  const double all_work =
      static_cast<double>(block_.rows) * static_cast<double>(block_.columns) * work;
  const std::int64_t registers = (block_.columns + lanes - 1) / lanes;
  const std::int64_t threads =
      has_sums_ || registers == 1
          ? 1
          : std::min<std::int64_t>(registers, detail::worthwhile_threads(all_work, least_work));
  if (threads == 1) {
    formula(block_);
    return;
  }
  Parts<T> parts{formula, block_, arguments_, results_,
                 (registers + threads - 1) / threads * lanes};
  detail::run_on_threads(static_cast<int>(threads), &Parts<T>::run, &parts);
}

template void Rows::run<float>(void (*)(const Block&), std::uint32_t);
template void Rows::run<double>(void (*)(const Block&), std::uint32_t);

}  // namespace rw::pointwise
