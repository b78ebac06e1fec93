#pragma once
// Arrays for tests that compute the result of an operation with the plainest loops: row-major
// values, and an index for each axis.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/tensor/tensor.hpp>

#include "as_columns.hpp"

namespace rw::testing {

using Index = std::array<std::int64_t, Shape::max_rank>;

/// Calls `body(index)` for every index of `shape`; the last axis changes fastest.
template <class Body>
void for_each_index(const Shape& shape, Body body) {
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    Index index{};
    std::int64_t rest = i;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      index[static_cast<std::size_t>(axis)] = rest % shape[axis];
      rest /= shape[axis];
    }
    body(index);
  }
}

template <class T>
struct PlainArray {
  Shape shape;
  std::vector<T> values;

  explicit PlainArray(const Shape& s) : shape(s), values(static_cast<std::size_t>(s.elements())) {}
  explicit PlainArray(const Tensor& x) : shape(x.shape()), values(x.to_vector<T>()) {}

  T& operator[](const Index& index) {
    std::int64_t position = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      position = position * shape[axis] + index[static_cast<std::size_t>(axis)];
    }
    return values.at(static_cast<std::size_t>(position));
  }
};

/// Different small numbers, always the same.
template <class T>
Tensor numbered(const Shape& shape) {
  std::vector<T> values(static_cast<std::size_t>(shape.elements()));
  std::int64_t next = 7;
  for (T& value : values) {
    next = next * 31 % 1009;
    value = static_cast<T>(next - 500);
  }
  return Tensor::from<T>(shape, values);
}

/// The same as columns of a wider tensor.
template <class T>
Tensor numbered_columns(const Shape& shape) {
  return as_columns(numbered<T>(shape));
}

/// Exact equality of shape, type and elements.
template <class T>
void check_equal(const Tensor& got, const PlainArray<T>& expected) {
  BOOST_TEST_REQUIRE(got.shape() == expected.shape, "got shape " << to_string(got.shape())
                                                                 << ", expected "
                                                                 << to_string(expected.shape));
  BOOST_TEST(got.to_vector<T>() == expected.values, boost::test_tools::per_element());
}

}  // namespace rw::testing
