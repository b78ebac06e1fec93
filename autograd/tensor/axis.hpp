#pragma once

#include <rewind/autograd/tensor/shape.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// `axis` of `shape` counted from the front. Throws ShapeError, naming the operation `who`, when
/// there is no such axis.
inline int front_axis(const char* who, const Shape& shape, int axis) {
  const int rank = shape.rank();
  if (axis < -rank || axis >= rank) [[unlikely]] {
    fail_axis(who, shape, axis);
  }
  return axis < 0 ? axis + rank : axis;
}

}  // namespace rw::detail

#pragma GCC visibility pop
