#pragma once

#include <vector>

#include <rewind/autograd/fuse/detail/pointwise_pass.hpp>
#include <rewind/autograd/tensor/launch.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// A run of a kernel over contiguous tensors of one shape, as a kernel with its arguments (Note
/// [Launches]).
struct PlainPass {
  Kernel kernel;
  std::size_t arguments;
  std::size_t results;
  std::size_t element_bytes;
  Block block;

  void operator()() const { kernel(block); }
  void widen(const detail::Room& room) {
    constexpr std::size_t whole = sizeof(simd::Batch<float>);
    const std::size_t bytes = static_cast<std::size_t>(block.columns) * element_bytes;
    const std::size_t wide = (bytes + whole - 1) / whole * whole;
    bool fits = true;
    for (std::size_t k = 0; k < arguments; ++k) {
      fits = fits && room.may_read(block.arguments[k].data, wide);
    }
    for (std::size_t k = 0; k < results; ++k) {
      fits = fits && room.may_write_behind(block.results[k].data, bytes);
    }
    if (fits) {
      block.columns = static_cast<std::int64_t>(wide / element_bytes);
    }
  }
};

/// A Pass that owns what it refers to (Note [Launches]).
template <class T>
class CapturedPass {
 public:
  CapturedPass(Kernel kernel, std::uint32_t work, const Shape& common)
      : kernel_(kernel), work_(work), common_(common) {}

  void add_argument(const void* data, const Shape& shape, std::int64_t row_stride) {
    arguments_.push_back({Kind::tensor, const_cast<void*>(data), shape, row_stride});
  }
  void add_number(const T* number) {
    arguments_.push_back({Kind::number, nullptr, {}, 0, *number});
  }
  void skip_argument() { arguments_.push_back({Kind::skipped}); }
  void add_result(void* data, const Shape& shape, std::int64_t row_stride, bool accumulate) {
    results_.push_back({Kind::tensor, data, shape, row_stride, T(0), accumulate});
  }
  void skip_result() { results_.push_back({Kind::skipped}); }

  void operator()() const {
    Pass pass(common_);
    for (const Stream& argument : arguments_) {
      if (argument.kind == Kind::tensor) {
        pass.add_argument(argument.data, argument.shape, argument.row_stride);
      } else if (argument.kind == Kind::number) {
        pass.add_number(&argument.number);
      } else {
        pass.skip_argument();
      }
    }
    for (const Stream& result : results_) {
      if (result.kind == Kind::tensor) {
        pass.add_result(result.data, result.shape, result.row_stride, result.accumulate);
      } else {
        pass.skip_result();
      }
    }
    pass.run<T>(kernel_, work_);
  }

 private:
  enum class Kind { tensor, number, skipped };
  struct Stream {
    Kind kind;
    void* data = nullptr;
    Shape shape = {};
    std::int64_t row_stride = 0;
    T number = T(0);
    bool accumulate = false;
  };

  Kernel kernel_;
  std::uint32_t work_;
  Shape common_;
  std::vector<Stream> arguments_;
  std::vector<Stream> results_;
};

}  // namespace rw::pointwise

#pragma GCC visibility pop
