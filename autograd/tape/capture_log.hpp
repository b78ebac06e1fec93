#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tensor/capture_memory.hpp>
#include <rewind/autograd/tensor/launch.hpp>

namespace rw::detail {

/// What the operations of a capture did, besides their launches.
class CaptureLog {
 public:
  /// A result, as the operation left it.
  struct Result {
    const char* name;
    std::size_t launches;  // how many there were by then
    const std::byte* data;
    Shape shape;
    std::int64_t row_stride;  // in bytes
    std::int64_t row_bytes;
    std::vector<std::byte> values;
  };

  /// Notes what an operation read. What the capture did not compute lives as long as this log.
  void note_input(const Tensor& input) {
    if (!capture_memory->has(input.body().block)) {
      kept_.push_back(input);
    }
  }
  /// Notes what an operation computed.
  [[gnu::visibility("hidden")]] void note_result(const char* name, const Tensor& output);
  /// The name of the first operation whose result is not what it was, given that launches up to
  /// `launches` have just been replayed; null if all are.
  [[gnu::visibility("hidden")]] const char* changed(std::size_t launches) const;
  const std::vector<Result>& results() const { return results_; }
  void forget_results() { results_.clear(); }

  Launches launches;

 private:
  std::vector<Result> results_;
  std::vector<Tensor> kept_;
};

}  // namespace rw::detail
