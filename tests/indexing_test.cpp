// Choosing and accumulating by index against plain loops, and the gradients that are accumulated in
// place.

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/messages.hpp"
#include "support/plain_array.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

std::size_t at(int axis) { return static_cast<std::size_t>(axis); }

/// Indices in [0, size), some of them repeated. For size 0 there are none, and `shape` must hold no
/// elements.
Tensor indices_below(std::int64_t size, const Shape& shape) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(shape.elements()));
  std::int64_t next = 3;
  for (std::int64_t& value : values) {
    next = next * 29 % 211;
    value = next % size;
  }
  return Tensor::from<std::int64_t>(shape, values);
}

const std::vector<Shape> shapes = {Shape{6},          Shape{5, 3},    Shape{4, 1},
                                   Shape{3, 0},       Shape{0, 3},    Shape{3, 4, 5},
                                   Shape{2, 3, 4, 2}, Shape{2, 0, 3}, Shape{2, 3, 1, 2, 3}};

/// Calls `body(x, axis, T{})` for tensors of every shape and type, dense and as columns of a wider
/// one, and for every axis.
template <class Body>
void for_each_axis(Body body) {
  for (const Shape& shape : shapes) {
    for (const DType dtype : {DType::float32, DType::float64, DType::int64}) {
      dispatch(dtype, [&](auto type) {
        using T = decltype(type);
        for (int axis = 0; axis < shape.rank(); ++axis) {
          BOOST_TEST_CONTEXT("axis " << axis << " of " << to_string(shape) << " of "
                                     << name_of(dtype)) {
            body(numbered<T>(shape), axis, type);
            body(numbered_columns<T>(shape), axis, type);
          }
        }
      });
    }
  }
}

template <class T>
PlainArray<T> added(PlainArray<T> part, const std::vector<std::int64_t>& indices, std::int64_t size,
                    int axis) {
  PlainArray<T> whole(part.shape.with(axis, size));
  for_each_index(part.shape, [&](const Index& from) {
    Index to = from;
    to[at(axis)] = indices[static_cast<std::size_t>(from[at(axis)])];
    whole[to] += part[from];
  });
  return whole;
}

}  // namespace

BOOST_AUTO_TEST_CASE(index_select_chooses_slices) {
  for_each_axis([](const Tensor& x, int axis, auto type) {
    using T = decltype(type);
    PlainArray<T> from(x);
    for (const std::int64_t n : {0, 1, 9}) {
      if (n > 0 && x.size(axis) == 0) {
        continue;
      }
      const Tensor indices = indices_below(x.size(axis), Shape{n});
      const std::vector<std::int64_t> index = indices.to_vector<std::int64_t>();
      PlainArray<T> expected(x.shape().with(axis, n));
      for_each_index(expected.shape, [&](const Index& to) {
        Index source = to;
        source[at(axis)] = index[static_cast<std::size_t>(to[at(axis)])];
        expected[to] = from[source];
      });
      check_equal(index_select(x, indices, axis), expected);
      check_equal(index_select(x, as_columns(indices), axis - x.rank()), expected);
    }
  });
}

BOOST_AUTO_TEST_CASE(index_add_adds_slices) {
  for_each_axis([](const Tensor& x, int axis, auto type) {
    using T = decltype(type);
    const Tensor indices = indices_below(7, Shape{x.size(axis)});
    const PlainArray<T> expected =
        added(PlainArray<T>(x), indices.to_vector<std::int64_t>(), 7, axis);
    check_equal(index_add(x, indices, 7, axis), expected);
    check_equal(index_add(x, as_columns(indices), 7, axis - x.rank()), expected);
  });
}

BOOST_AUTO_TEST_CASE(embedding_looks_rows_up) {
  const Tensor table = numbered<float>(Shape{11, 4});
  PlainArray<float> rows(table);
  for (const Shape& shape :
       {Shape{}, Shape{5}, Shape{0}, Shape{3, 2}, Shape{2, 0, 3}, Shape{2, 1, 2, 3}}) {
    const Tensor indices = indices_below(11, shape);
    PlainArray<std::int64_t> index(indices);
    PlainArray<float> expected(shape.inserted(shape.rank(), 4));
    for_each_index(expected.shape, [&](const Index& to) {
      expected[to] = rows[{index[to], to[at(shape.rank())]}];
    });
    check_equal(embedding(table, indices), expected);
    check_equal(embedding(table, as_columns(indices)), expected);
    check_equal(embedding(numbered_columns<float>(Shape{11, 4}), indices), expected);
  }
  BOOST_TEST(embedding(zeros(Shape{3, 0}), indices_below(3, Shape{2})).shape() == (Shape{2, 0}));
  BOOST_TEST(embedding(zeros(Shape{0, 3}), zeros(Shape{0}, DType::int64)).shape() == (Shape{0, 3}));
}

BOOST_AUTO_TEST_CASE(gather_chooses_elements_and_scatter_add_adds_them) {
  for_each_axis([](const Tensor& x, int axis, auto type) {
    using T = decltype(type);
    PlainArray<T> from(x);
    for (const std::int64_t n : {0, 1, 8}) {
      for (const std::int64_t shorter : {0, 1}) {
        Shape shape = x.shape().with(axis, n);
        for (int a = 0; a < x.rank(); ++a) {
          shape = a == axis || shape[a] == 0 ? shape : shape.with(a, shape[a] - shorter);
        }
        if (shape.elements() > 0 && x.size(axis) == 0) {
          continue;
        }
        const Tensor indices = indices_below(x.size(axis), shape);
        PlainArray<std::int64_t> index(indices);
        PlainArray<T> gathered(shape);
        const Tensor part = numbered_columns<T>(shape);
        PlainArray<T> addend(part);
        PlainArray<T> sum(x.shape());
        for_each_index(shape, [&](const Index& to) {
          Index source = to;
          source[at(axis)] = index[to];
          gathered[to] = from[source];
          sum[source] += addend[to];
        });
        check_equal(gather(x, indices, axis), gathered);
        check_equal(gather(x, as_columns(indices), axis - x.rank()), gathered);
        check_equal(scatter_add(part, indices, x.shape(), axis), sum);
        check_equal(scatter_add(part, as_columns(indices), x.shape(), axis - x.rank()), sum);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(one_hot_marks_the_index) {
  for (const Shape& shape : {Shape{}, Shape{4}, Shape{0}, Shape{3, 2}, Shape{2, 1, 2, 3}}) {
    const Tensor indices = indices_below(5, shape);
    PlainArray<std::int64_t> index(indices);
    PlainArray<double> expected(shape.inserted(shape.rank(), 5));
    for_each_index(expected.shape, [&](const Index& to) {
      expected[to] = to[at(shape.rank())] == index[to] ? 1 : 0;
    });
    check_equal(one_hot(indices, 5, DType::float64), expected);
    check_equal(one_hot(as_columns(indices), 5, DType::float64), expected);
  }
  BOOST_TEST((one_hot(zeros(Shape{2}, DType::int64), 3).dtype() == DType::float32));
  BOOST_TEST((one_hot(zeros(Shape{2}, DType::int64), 3, DType::int64).to_vector<std::int64_t>() ==
              std::vector<std::int64_t>{1, 0, 0, 1, 0, 0}));
  BOOST_TEST(one_hot(zeros(Shape{0}, DType::int64), 0).shape() == (Shape{0, 0}));
}

BOOST_AUTO_TEST_CASE(bad_indices_name_value_place_and_range) {
  const Tensor x = numbered<float>(Shape{3, 4});
  const auto indices = [](const Shape& shape, std::initializer_list<std::int64_t> values) {
    return Tensor::from<std::int64_t>(shape, values);
  };
  check_throws<ShapeError>(
      [&] {
        index_select(x, indices(Shape{3}, {0, 3, 9}));
      },
      "index_select: index 3 at position [1] is out of range, expected [0, 3)");
  check_throws<ShapeError>(
      [&] { index_select(x, indices(Shape{1}, {-1}), 1); },
      "index_select: index -1 at position [0] is out of range, expected [0, 4)");
  check_throws<ShapeError>(
      [&] {
        index_add(x, indices(Shape{3}, {0, 1, 2}), 2);
      },
      "index_add: index 2 at position [2] is out of range, expected [0, 2)");
  check_throws<ShapeError>(
      [&] {
        embedding(x, indices(Shape{2, 2}, {0, 1, 5, 0}));
      },
      "embedding: index 5 at position [1, 0] is out of range, expected [0, 3)");
  check_throws<ShapeError>([&] { embedding(x, indices(Shape{}, {3})); },
                           "embedding: index 3 at position [] is out of range");
  check_throws<ShapeError>(
      [&] {
        gather(x, indices(Shape{1, 2}, {0, 3}), 0);
      },
      "gather: index 3 at position [0, 1] is out of range, expected [0, 3)");
  check_throws<ShapeError>(
      [&] {
        scatter_add(zeros(Shape{1, 2}), indices(Shape{1, 2}, {0, 4}), Shape{3, 4}, 1);
      },
      "scatter_add: index 4 at position [0, 1] is out of range, expected [0, 4)");
  check_throws<ShapeError>(
      [&] {
        one_hot(indices(Shape{2}, {1, 2}), 2);
      },
      "one_hot: index 2 at position [1] is out of range, expected [0, 2)");
  check_throws<ShapeError>(
      [&] {
        index_select(zeros(Shape{0, 2}), indices(Shape{1}, {0}));
      },
      "expected [0, 0)");
}

BOOST_AUTO_TEST_CASE(arguments_that_do_not_fit_are_refused) {
  const Tensor x = zeros(Shape{3, 4});
  const Tensor i = zeros(Shape{3}, DType::int64);
  const Tensor two = zeros(Shape{3, 4}, DType::int64);
  check_throws<UsageError>([&] { index_select(x, zeros(Shape{3})); },
                           "index_select: the indices are float32, expected int64");
  check_throws<UsageError>([&] { one_hot(zeros(Shape{3}), 2); },
                           "one_hot: the indices are float32");
  check_throws<ShapeError>([&] { index_select(x, two); },
                           "index_select: the indices have shape [3, 4], expected one axis");
  check_throws<ShapeError>([&] { index_select(x, i, 2); }, "index_select: axis 2 does not exist");
  check_throws<ShapeError>([&] { index_add(x, i, 5, 1); },
                           "index_add: got 3 indices for axis 1 of [3, 4], expected 4");
  check_throws<ShapeError>([&] { embedding(zeros(Shape{3}), i); },
                           "embedding: the table has shape [3], expected [V, F]");
  check_throws<ShapeError>(
      [&] {
        embedding(x, zeros(Shape{1, 1, 1, 1, 1}, DType::int64));
      },
      "embedding: the indices have shape [1, 1, 1, 1, 1], expected at most 4");
  check_throws<ShapeError>([&] { gather(x, i, 0); }, "gather: the indices have shape [3]");
  check_throws<ShapeError>(
      [&] {
        gather(x, zeros(Shape{2, 5}, DType::int64), 0);
      },
      "gather: the indices have shape [2, 5]");
  check_throws<ShapeError>(
      [&] {
        scatter_add(x, i, Shape{3, 4}, 0);
      },
      "scatter_add: the indices have shape [3], expected [3, 4] as x has");
  check_throws<ShapeError>(
      [&] {
        scatter_add(x, two, Shape{3, 3}, 0);
      },
      "scatter_add: the indices have shape [3, 4]");
  check_throws<ShapeError>([&] { one_hot(i, -1); }, "one_hot: got -1 classes");
}

BOOST_AUTO_TEST_CASE(rows_used_several_times_add_up_in_the_tables_gradient) {
  Parameter table(numbered<float>(Shape{6, 3}));
  Tape tape;
  const Tensor first = indices_below(6, Shape{4, 2});
  const Tensor second = indices_below(6, Shape{5});
  const Tensor y1 = embedding(table, first);
  const Tensor y2 = embedding(table, second);
  const Tensor s1 = numbered<float>(y1.shape());
  const Tensor s2 = numbered<float>(y2.shape());
  PlainArray<float> expected =
      added(PlainArray<float>(reshape(s1, Shape{8, 3})), first.to_vector<std::int64_t>(), 6, 0);
  const PlainArray<float> more =
      added(PlainArray<float>(s2), second.to_vector<std::int64_t>(), 6, 0);
  tape.backward(y1, {.seed = s1});
  check_equal(table.grad(), expected);
  tape.backward(y2, {.seed = s2});
  for (std::size_t i = 0; i < more.values.size(); ++i) {
    expected.values[i] += more.values[i];
  }
  check_equal(table.grad(), expected);
}

BOOST_AUTO_TEST_CASE(gradients_in_place_equal_recorded_ones) {
  // The indexed tensor is the whole of a watched one, rows of it, or columns of it. Every pass gets
  // contributions from two uses.
  const Tensor base = numbered<double>(Shape{7, 6});
  for (const int part : {0, 1, 2}) {
    for (int axis = 0; axis < 2; ++axis) {
      Tape tape;
      const Tensor x = tape.watch(base);
      const Tensor used = part == 0 ? x : part == 1 ? slice(x, 0, 2, 6) : slice(x, 1, 1, 5);
      const Tensor chosen = indices_below(used.size(axis), Shape{9});
      const Tensor y1 = index_select(used, chosen, axis);
      const Tensor y2 = gather(used, indices_below(used.size(axis), used.shape()), axis);
      const Tensor y3 = embedding(used, indices_below(used.size(0), Shape{3, 3}));
      for (const Tensor& y : {y1, y2, y3}) {
        const Tensor both = y * y * numbered<double>(y.shape());
        const Tensor seed = numbered<double>(y.shape());
        const Tensor at_once = tape.gradient(both, {x}, {.seed = seed, .retain = true})[0];
        const Tensor recorded = tape.gradient(both, {x}, {.seed = seed, .create_graph = true})[0];
        check_equal(at_once, PlainArray<double>(recorded));
      }
      // Both uses in one pass: the second accumulates into what the first wrote.
      const Tensor s1 = numbered<double>(y1.shape());
      const Tensor s2 = numbered<double>(y2.shape());
      const Tensor g1 = tape.gradient(y1, {x}, {.seed = s1, .retain = true})[0];
      const Tensor g2 = tape.gradient(y2, {x}, {.seed = s2, .retain = true})[0];
      const Tensor flat =
          concat({reshape(y1, Shape{y1.elements()}), reshape(y2, Shape{y2.elements()})}, 0);
      const Tensor seed =
          concat({reshape(s1, Shape{s1.elements()}), reshape(s2, Shape{s2.elements()})}, 0);
      check_equal(tape.gradient(flat, {x}, {.seed = seed})[0], PlainArray<double>(g1 + g2));
    }
  }
}
