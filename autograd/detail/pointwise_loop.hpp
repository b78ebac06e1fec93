#pragma once

#include <array>

#include <rewind/autograd/pointwise_kernel.hpp>
#include <rewind/autograd/shape.hpp>

namespace rw::pointwise {

/// Elements from one index of each axis to the next; 0 where an argument is stretched along it.
using Steps = std::array<std::int64_t, Shape::max_rank + 1>;

/// One argument or result over the axes of the common shape.
struct Stream {
  void* data;
  Steps steps;
  bool accumulate;
};

inline Steps steps_of(const Shape& shape, std::int64_t row_stride, const Shape& common) {
  Steps steps{};
  std::int64_t step = row_stride;
  const int shift = common.rank() - shape.rank();
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const bool last = axis == shape.rank() - 1;
    const std::int64_t size = shape[axis];
    steps[static_cast<std::size_t>(axis + shift)] = size == 1 ? 0 : last ? 1 : step;
    step *= last ? 1 : size;
  }
  return steps;
}

/// A pointwise loop over up to five axes, made of as few and as long blocks as the strides allow.
class Loop {
 public:
  explicit Loop(const Shape& shape) : shape_(shape) {}

  void add_argument(const void* data, const Steps& steps) {
    arguments_[argument_count_++] = {const_cast<void*>(data), steps, false};
  }
  void add_result(void* data, const Steps& steps, bool accumulate) {
    results_[result_count_++] = {data, steps, accumulate};
  }

  void run(void (*run_block)(const Block&), std::size_t element_size) {
    if (shape_.elements() == 0) {
      return;
    }
    collapse();
    Block block;
    block.columns = sizes_[rank_ - 1];
    block.rows = rank_ > 1 ? sizes_[rank_ - 2] : 1;
    std::int64_t blocks = 1;
    for (std::size_t axis = 0; axis + 2 < rank_; ++axis) {
      blocks *= sizes_[axis];
    }
    for (std::int64_t number = 0; number < blocks; ++number) {
      for (std::size_t i = 0; i < argument_count_; ++i) {
        block.arguments[i] = place(arguments_[i], number, element_size);
      }
      for (std::size_t i = 0; i < result_count_; ++i) {
        block.results[i] = place(results_[i], number, element_size);
      }
      run_block(block);
    }
  }

 private:
  template <class Body>
  void for_streams(Body&& body) {
    for (std::size_t i = 0; i < argument_count_; ++i) {
      if (arguments_[i].data != nullptr) body(arguments_[i]);
    }
    for (std::size_t i = 0; i < result_count_; ++i) {
      if (results_[i].data != nullptr) body(results_[i]);
    }
  }

  /// Merges neighbouring axes that every stream walks as one; drops axes of size 1.
  void collapse() {
    for (int axis = 0; axis < shape_.rank(); ++axis) {
      const auto from = static_cast<std::size_t>(axis);
      const std::int64_t size = shape_[axis];
      if (size == 1) {
        continue;
      }
      bool merges = rank_ > 0;
      if (merges) {
        for_streams([&](const Stream& s) {
          merges = merges && s.steps[rank_ - 1] == s.steps[from] * size;
        });
      }
      if (merges) {
        sizes_[rank_ - 1] *= size;
        for_streams([&](Stream& s) { s.steps[rank_ - 1] = s.steps[from]; });
      } else {
        sizes_[rank_] = size;
        for_streams([&](Stream& s) { s.steps[rank_] = s.steps[from]; });
        ++rank_;
      }
    }
    bool last_is_plain = rank_ > 0;
    for_streams([&](const Stream& s) {
      last_is_plain = last_is_plain && (s.steps[rank_ - 1] == 0 || s.steps[rank_ - 1] == 1);
    });
    if (!last_is_plain) {
      // Single columns of wider rows: each element is a row of its own.
      sizes_[rank_] = 1;
      for_streams([&](Stream& s) { s.steps[rank_] = 1; });
      ++rank_;
    }
  }

  Block::Stream place(const Stream& stream, std::int64_t number, std::size_t element_size) const {
    if (stream.data == nullptr) {
      return {nullptr, 0, 1, false};
    }
    std::int64_t offset = 0;
    for (std::size_t axis = rank_ - 1; axis-- > 0;) {
      if (axis + 2 >= rank_) {
        continue;
      }
      offset += number % sizes_[axis] * stream.steps[axis];
      number /= sizes_[axis];
    }
    return {static_cast<std::byte*>(stream.data) + offset * static_cast<std::int64_t>(element_size),
            rank_ > 1 ? stream.steps[rank_ - 2] : 0, stream.steps[rank_ - 1], stream.accumulate};
  }

  Shape shape_;
  std::size_t rank_ = 0;
  std::array<std::int64_t, Shape::max_rank + 1> sizes_{};
  std::size_t argument_count_ = 0;
  std::size_t result_count_ = 0;
  std::array<Stream, max_streams> arguments_;
  std::array<Stream, max_arguments> results_;
};

/// Numbers as memory that a stream can repeat.
template <class T>
using Scalars = std::array<T, max_streams>;

}  // namespace rw::pointwise
