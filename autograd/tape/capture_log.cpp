#include <algorithm>
#include <cstring>

#include <rewind/autograd/tape/capture_log.hpp>

namespace rw::detail {
namespace {

/// Calls body(row) for the memory of each row of a result.
template <class Body>
void for_rows(const CaptureLog::Result& result, Body&& body) {
  const std::int64_t rows = result.shape.elements() == 0 ? 0 : result.shape.rows();
  for (std::int64_t r = 0; r < rows; ++r) {
    body(result.data + r * result.row_stride);
  }
}

}  // namespace

void CaptureLog::note_result(const char* name, const Tensor& output) {
  const auto size = static_cast<std::int64_t>(size_of(output.dtype()));
  Result result{name,
                launches.size(),
                output.body().data,
                output.shape(),
                output.row_stride() * size,
                output.columns() * size,
                {}};
  for_rows(result, [&](const std::byte* row) {
    result.values.insert(result.values.end(), row, row + result.row_bytes);
  });
  results_.push_back(std::move(result));
}

void note_operation(const char* name, std::span<const TensorRef> inputs,
                    std::span<const Tensor> outputs) {
  for (const Tensor& input : inputs) {
    context.capture->note_input(input);
  }
  for (const Tensor& output : outputs) {
    context.capture->note_result(name, output);
  }
}

const char* CaptureLog::changed(std::size_t count) const {
  const auto first = std::ranges::lower_bound(results_, count, {}, &Result::launches);
  const auto last = std::ranges::upper_bound(results_, count, {}, &Result::launches);
  for (auto result = first; result != last; ++result) {
    const std::byte* expected = result->values.data();
    bool same = true;
    for_rows(*result, [&](const std::byte* row) {
      same = same && std::memcmp(row, expected, static_cast<std::size_t>(result->row_bytes)) == 0;
      expected += result->row_bytes;
    });
    if (!same) {
      return result->name;
    }
  }
  return nullptr;
}

}  // namespace rw::detail
