#pragma once

#include <array>

#include <rewind/autograd/fuse/detail/pointwise_grid.hpp>
#include <rewind/autograd/tensor/shape.hpp>

#pragma GCC visibility push(hidden)

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

/// A pointwise loop over up to five axes, made of as few and as large grids as the strides allow.
class Loop {
 public:
  explicit Loop(const Shape& shape) : shape_(shape) {}

  void add_argument(const void* data, const Steps& steps) {
    arguments_[argument_count_++] = {const_cast<void*>(data), steps, false};
  }
  void add_result(void* data, const Steps& steps, bool accumulate) {
    results_[result_count_++] = {data, steps, accumulate};
  }

  template <class T>
  void run(Kernel kernel) {
    if (shape_.elements() == 0) {
      return;
    }
    collapse();
    std::int64_t grids = 1;
    for (std::size_t axis = 0; axis + 2 < rank_; ++axis) {
      grids *= sizes_[axis];
    }
    for (std::int64_t number = 0; number < grids; ++number) {
      Grid grid;
      grid.columns = sizes_[rank_ - 1];
      grid.rows = rank_ > 1 ? sizes_[rank_ - 2] : 1;
      for (std::size_t i = 0; i < argument_count_; ++i) {
        grid.add_argument(place<T>(arguments_[i], number));
      }
      for (std::size_t i = 0; i < result_count_; ++i) {
        grid.add_result(place<T>(results_[i], number));
      }
      run_grid<T>(kernel, grid);
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

  template <class T>
  Grid::Stream place(const Stream& stream, std::int64_t number) const {
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
    return {static_cast<T*>(stream.data) + offset, rank_ > 1 ? stream.steps[rank_ - 2] : 0,
            stream.steps[rank_ - 1], stream.accumulate};
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

#pragma GCC visibility pop
