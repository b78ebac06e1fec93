#pragma once
// Copies between any two orders of the same elements: the kernel of permute, flip and other
// operations that only move values.

#include <array>
#include <cstdint>

#include <rewind/autograd/tensor/launch.hpp>
#include <rewind/autograd/tensor/shape.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels {

using Strides = std::array<std::int64_t, Shape::max_rank>;

/// The stride of each axis in elements, for rows `row_stride` apart.
Strides strides_of(const Shape& shape, std::int64_t row_stride);
inline Strides strides_of(const Tensor& x) { return strides_of(x.shape(), x.row_stride()); }

/// An iteration over `rank` axes of two arrays at once; strides may be negative.
struct Walk {
  int rank = 0;
  Strides sizes{};
  Strides to{};
  Strides from{};

  /// Adds an innermost axis; axes of size 1, and axes that continue the previous one without a gap
  /// in both arrays, cost nothing.
  void add_axis(std::int64_t size, std::int64_t to_stride, std::int64_t from_stride);
  /// Removes axis `axis`.
  void remove_axis(int axis);
};

/// The walk over every index of `shape`.
Walk walk_over(const Shape& shape, const Strides& to, const Strides& from);

/// to[i . walk.to] = from[i . walk.from] for every index i. The arrays must not overlap.
template <class T>
struct StridedCopy {
  T* to;
  const T* from;
  Walk walk;

  void operator()() const;
};

template <class T>
void copy_strided(T* to, const T* from, const Walk& walk) {
  launch(StridedCopy<T>{to, from, walk});
}

extern template struct StridedCopy<float>;
extern template struct StridedCopy<double>;
extern template struct StridedCopy<std::int64_t>;

}  // namespace rw::kernels

#pragma GCC visibility pop
