#pragma once

#include <array>

#include <rewind/autograd/fuse/detail/pointwise_grid.hpp>
#include <rewind/autograd/tensor/shape.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// Elements from one index of each axis to the next; 0 along an axis that broadcasts.
using Steps = std::array<std::int64_t, Shape::max_rank + 1>;

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

/// The elements of a shape of up to five axes as grids of rows and columns, as few and as large as
/// the steps of all streams allow.
class Axes {
 public:
  struct Stream {
    void* data;  // null: not read or not wanted
    Steps steps;
    bool accumulate;
  };

  explicit Axes(const Shape& shape) : shape_(shape) {}

  void add_argument(const Stream& stream) { arguments_[argument_count_++] = stream; }
  void add_result(const Stream& stream) { results_[result_count_++] = stream; }

  /// Merges adjacent axes that every stream can traverse as one; drops axes of size 1. To be called
  /// once, after all streams are added, for a non-empty shape.
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
    bool has_columns = rank_ > 0;
    for_streams([&](const Stream& s) {
      has_columns = has_columns && (s.steps[rank_ - 1] == 0 || s.steps[rank_ - 1] == 1);
    });
    if (!has_columns) {
      // Single columns of wider rows: each element becomes a row.
      sizes_[rank_] = 1;
      for_streams([&](Stream& s) { s.steps[rank_] = 1; });
      ++rank_;
    }
  }

  std::int64_t grids() const {
    std::int64_t count = 1;
    for (std::size_t axis = 0; axis + 2 < rank_; ++axis) {
      count *= sizes_[axis];
    }
    return count;
  }

  template <class T>
  Grid grid(std::int64_t number) const {
    Grid grid;
    grid.columns = sizes_[rank_ - 1];
    grid.rows = rank_ > 1 ? sizes_[rank_ - 2] : 1;
    for (std::size_t i = 0; i < argument_count_; ++i) {
      grid.add_argument(stream<T>(arguments_[i], number));
    }
    for (std::size_t i = 0; i < result_count_; ++i) {
      grid.add_result(stream<T>(results_[i], number));
    }
    return grid;
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

  template <class T>
  Grid::Stream stream(const Stream& stream, std::int64_t number) const {
    if (stream.data == nullptr) {
      return nowhere;
    }
    std::int64_t offset = 0;
    for (std::size_t axis = rank_ < 2 ? 0 : rank_ - 2; axis-- > 0;) {
      offset += number % sizes_[axis] * stream.steps[axis];
      number /= sizes_[axis];
    }
    return {static_cast<T*>(stream.data) + offset, rank_ > 1 ? stream.steps[rank_ - 2] : 0,
            stream.steps[rank_ - 1], stream.accumulate};
  }

  const Shape& shape_;
  std::size_t rank_ = 0;
  std::array<std::int64_t, Shape::max_rank + 1> sizes_{};
  std::size_t argument_count_ = 0;
  std::size_t result_count_ = 0;
  std::array<Stream, max_streams> arguments_;
  std::array<Stream, max_arguments> results_;
};

}  // namespace rw::pointwise

#pragma GCC visibility pop
