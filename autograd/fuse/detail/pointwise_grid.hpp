#pragma once

#include <array>
#include <cstdint>

#include <rewind/autograd/fuse/fused_operation.hpp>
#include <rewind/autograd/fuse/pointwise_kernel.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// Rows and columns as laid out in the tensors, before a kernel can run over them: a stream may
/// repeat one value along the row, and a result may accumulate. Only the counts are initialised by
/// default.
struct Grid {
  struct Stream {
    void* data;                // null if not read or not wanted
    std::int64_t row_step;     // elements from row to row; 0 repeats the row
    std::int64_t column_step;  // 1, or 0 to repeat one value along the row
    bool accumulate;           // results: add instead of write; always true if a step is 0
  };
  std::int64_t rows;
  std::int64_t columns;
  std::size_t argument_count = 0;
  std::size_t result_count = 0;
  std::array<Stream, max_streams> arguments;
  std::array<Stream, max_arguments> results;

  void add_argument(const Stream& stream) { arguments[argument_count++] = stream; }
  void add_result(const Stream& stream) { results[result_count++] = stream; }
};

/// For an argument that is not read, and for a result that is not wanted.
inline constexpr Grid::Stream nowhere{nullptr, 0, 1, false};

/// Runs a kernel over a grid on this thread; several rows at a time if they are much shorter than a
/// register.
template <class T>
void run_grid(Kernel kernel, const Grid& grid);

extern template void run_grid<float>(Kernel, const Grid&);
extern template void run_grid<double>(Kernel, const Grid&);

}  // namespace rw::pointwise

#pragma GCC visibility pop
