// permute, transpose, concat, stack, flip, roll, pad and cumsum against plain loops over indices.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/messages.hpp"
#include "support/plain_array.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

const std::vector<Shape> shapes = {Shape{}, Shape{1}, Shape{7}, Shape{0}, Shape{3, 5},
                                   Shape{17, 33}, Shape{70, 41}, Shape{1, 6}, Shape{6, 1},
                                   Shape{0, 4}, Shape{4, 0}, Shape{2, 3, 4}, Shape{5, 1, 3},
                                   Shape{3, 0, 2}, Shape{18, 3, 20}, Shape{2, 3, 4, 5},
                                   Shape{2, 1, 4, 1}, Shape{2, 3, 2, 3, 4}, Shape{3, 1, 2, 1, 17},
                                   // Shared among threads.
                                   Shape{301, 133}, Shape{2, 150, 133}};

/// Calls `body(x, T{})` for tensors of every shape and type, dense and as columns of a wider
/// tensor.
template <class Body>
void for_each_tensor(Body body) {
  for (const Shape& shape : shapes) {
    for (const DType dtype : {DType::float32, DType::float64, DType::int64}) {
      dispatch(dtype, [&](auto type) {
        using T = decltype(type);
        BOOST_TEST_CONTEXT("shape " << to_string(shape) << " of " << name_of(dtype)) {
          body(numbered<T>(shape), type);
        }
        BOOST_TEST_CONTEXT("columns " << to_string(shape) << " of " << name_of(dtype)) {
          body(numbered_columns<T>(shape), type);
        }
      });
    }
  }
}

std::size_t at(int axis) { return static_cast<std::size_t>(axis); }

template <class T>
PlainArray<T> expected_permutation(const Tensor& x, std::span<const int> axes) {
  PlainArray<T> from(x);
  std::vector<std::int64_t> sizes;
  for (const int axis : axes) {
    sizes.push_back(x.size(axis));
  }
  PlainArray<T> expected{Shape(sizes)};
  for_each_index(expected.shape, [&](const Index& to) {
    Index source{};
    for (std::size_t i = 0; i < axes.size(); ++i) {
      source[at(axes[i])] = to[i];
    }
    expected[to] = from[source];
  });
  return expected;
}

template <class T>
PlainArray<T> expected_concat(const std::vector<Tensor>& tensors, int axis) {
  std::int64_t total = 0;
  for (const Tensor& x : tensors) {
    total += x.size(axis);
  }
  PlainArray<T> expected(tensors[0].shape().with(axis, total));
  std::int64_t begin = 0;
  for (const Tensor& x : tensors) {
    PlainArray<T> from(x);
    for_each_index(x.shape(), [&](Index index) {
      const T value = from[index];
      index[at(axis)] += begin;
      expected[index] = value;
    });
    begin += x.size(axis);
  }
  return expected;
}

}  // namespace

BOOST_AUTO_TEST_CASE(permute_gives_every_order) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    std::vector<int> axes(at(x.rank()));
    std::iota(axes.begin(), axes.end(), 0);
    do {
      check_equal(permute(x, axes), expected_permutation<T>(x, axes));
    } while (std::next_permutation(axes.begin(), axes.end()));
  });
}

BOOST_AUTO_TEST_CASE(permute_counts_negative_axes_from_the_end) {
  const Tensor x = numbered<float>(Shape{2, 3, 4});
  check_equal(permute(x, {-1, 0, -2}), expected_permutation<float>(x, std::array{2, 0, 1}));
}

BOOST_AUTO_TEST_CASE(permute_of_axes_of_size_one_copies_nothing) {
  const Tensor x = numbered<float>(Shape{1, 3, 1, 4});
  BOOST_TEST(permute(x, {1, 0, 3, 2}).data<float>() == x.data<float>());
  BOOST_TEST(transpose(numbered<float>(Shape{1, 5}), 0, 1).shape() == (Shape{5, 1}));
  BOOST_TEST(permute(x, {0, 1, 2, 3}).same_as(x));
}

BOOST_AUTO_TEST_CASE(permute_refuses_what_is_no_order) {
  const Tensor x = numbered<float>(Shape{2, 3});
  check_throws<ShapeError>([&] { permute(x, {0}); },
                           "permute: got 1 axes, expected all 2 of shape [2, 3]");
  check_throws<ShapeError>(
      [&] {
        permute(x, {0, 2});
      },
      "permute: axis 2 does not exist in shape [2, 3]");
  check_throws<ShapeError>(
      [&] {
        permute(x, {1, -1});
      },
      "permute: axis -1 of shape [2, 3] is named twice");
  check_throws<UsageError>([] { permute(Tensor(), {0}); }, "empty");
}

BOOST_AUTO_TEST_CASE(transpose_exchanges_two_axes) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    for (int a = 0; a < x.rank(); ++a) {
      for (int b = 0; b < x.rank(); ++b) {
        std::vector<int> axes(at(x.rank()));
        std::iota(axes.begin(), axes.end(), 0);
        std::swap(axes[at(a)], axes[at(b)]);
        check_equal(transpose(x, a, b - x.rank()), expected_permutation<T>(x, axes));
      }
    }
  });
  check_throws<ShapeError>(
      [] {
        transpose(zeros(Shape{2, 3}), 0, 2);
      },
      "transpose: axis 2 does not exist in shape [2, 3]");
  check_throws<ShapeError>([] { transpose(zeros(Shape{}), 0, 0); }, "transpose: axis 0");
}

BOOST_AUTO_TEST_CASE(concat_puts_tensors_one_after_another) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    for (int axis = 0; axis < x.rank(); ++axis) {
      const std::vector<Tensor> tensors = {x, numbered<T>(x.shape().with(axis, 4)),
                                           numbered<T>(x.shape().with(axis, 0)),
                                           numbered_columns<T>(x.shape().with(axis, 1)), x};
      const PlainArray<T> expected = expected_concat<T>(tensors, axis);
      check_equal(concat(tensors, axis), expected);
      check_equal(concat(tensors, axis - x.rank()), expected);
      check_equal(concat({tensors[0], tensors[1], tensors[2], tensors[3], tensors[4]}, axis),
                  expected);
    }
  });
}

BOOST_AUTO_TEST_CASE(concat_is_one_operation_whatever_the_number_of_inputs) {
  std::vector<Parameter> parameters;
  for (int i = 0; i < 40; ++i) {
    parameters.emplace_back(full(Shape{2, i % 3}, i));
  }
  Tape tape;
  const TensorList tensors(parameters.begin(), parameters.end());
  const Tensor y = concat(tensors, 1);
  BOOST_TEST(tape.operations() == 1);
  tape.backward(y, {.seed = numbered<float>(y.shape())});
  std::int64_t begin = 0;
  for (Parameter& p : parameters) {
    const std::int64_t end = begin + p.value().size(1);
    BOOST_TEST(p.grad().to_vector<float>() ==
                   slice(numbered<float>(y.shape()), 1, begin, end).to_vector<float>(),
               boost::test_tools::per_element());
    begin = end;
  }
}

BOOST_AUTO_TEST_CASE(concat_of_one_tensor_is_that_tensor) {
  const Tensor x = numbered<float>(Shape{2, 3});
  BOOST_TEST(concat({x}, 0).same_as(x));
  BOOST_TEST(stack({x}, 1).shape() == (Shape{2, 1, 3}));
  BOOST_TEST(stack({x}, 1).data<float>() == x.data<float>());
}

BOOST_AUTO_TEST_CASE(concat_refuses_tensors_that_do_not_fit) {
  const Tensor x = zeros(Shape{2, 3});
  check_throws<UsageError>([] { concat(std::span<const Tensor>(), 0); },
                           "concat: got no tensors, expected at least one");
  check_throws<ShapeError>(
      [&] {
        concat({x, zeros(Shape{2, 4})}, 0);
      },
      "concat: tensor 1 has shape [2, 4], expected [2, 3] in all axes but axis 0");
  check_throws<ShapeError>(
      [&] {
        concat({x, x, zeros(Shape{2})}, 0);
      },
      "concat: tensor 2 has shape [2]");
  check_throws<ShapeError>(
      [&] {
        concat({x, x}, 2);
      },
      "concat: axis 2 does not exist in shape [2, 3]");
  check_throws<ShapeError>([] { concat({scalar(1), scalar(2)}, 0); }, "concat: axis 0");
  check_throws<UsageError>(
      [&] {
        concat({x, x.to(DType::float64)}, 0);
      },
      "concat: tensor 1 is float64, expected float32");
}

BOOST_AUTO_TEST_CASE(stack_makes_a_new_axis) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    if (x.rank() == Shape::max_rank) {
      return;
    }
    const std::vector<Tensor> tensors = {x, full(x.shape(), 5, x.dtype()), x};
    for (int axis = 0; axis <= x.rank(); ++axis) {
      std::vector<Tensor> widened;
      for (const Tensor& each : tensors) {
        widened.push_back(unsqueeze(each, axis));
      }
      const PlainArray<T> expected = expected_concat<T>(widened, axis);
      check_equal(stack(tensors, axis), expected);
      check_equal(stack({tensors[0], tensors[1], tensors[2]}, axis - x.rank() - 1), expected);
    }
  });
}

BOOST_AUTO_TEST_CASE(stack_refuses_tensors_that_do_not_fit) {
  const Tensor x = zeros(Shape{2, 3});
  check_throws<UsageError>([] { stack(std::span<const Tensor>(), 0); }, "stack: got no tensors");
  check_throws<ShapeError>(
      [&] {
        stack({x, zeros(Shape{3, 2})}, 0);
      },
      "stack: tensor 1 has shape [3, 2], expected [2, 3]");
  check_throws<ShapeError>([&] { stack({x, x}, 3); }, "stack: axis 3 does not exist");
  check_throws<ShapeError>([&] { stack({x, x}, -4); }, "stack: axis -4 does not exist");
  check_throws<ShapeError>([] { stack({zeros(Shape{1, 1, 1, 1, 1})}, 0); }, "expected at most 4");
  check_throws<UsageError>([&] { stack({x, x.to(DType::int64)}, 0); }, "tensor 1 is int64");
}

BOOST_AUTO_TEST_CASE(flip_reverses_the_named_axes) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    PlainArray<T> from(x);
    const auto flipped_along = [&](unsigned axes) {
      PlainArray<T> expected(x.shape());
      for_each_index(x.shape(), [&](const Index& to) {
        Index source = to;
        for (int axis = 0; axis < x.rank(); ++axis) {
          if ((axes >> axis & 1U) != 0) {
            source[at(axis)] = x.size(axis) - 1 - to[at(axis)];
          }
        }
        expected[to] = from[source];
      });
      return expected;
    };
    for (int a = 0; a < x.rank(); ++a) {
      check_equal(flip(x, {a}), flipped_along(1U << a));
      for (int b = 0; b < a; ++b) {
        check_equal(flip(x, {a, b - x.rank()}), flipped_along(1U << a | 1U << b));
      }
    }
    check_equal(flip(x), flipped_along((1U << x.rank()) - 1));
  });
  check_throws<ShapeError>([] { flip(zeros(Shape{2, 3}), {2}); }, "flip: axis 2");
  check_throws<ShapeError>([] { flip(zeros(Shape{2, 3}), {1, -1}); }, "flip: axis -1 of shape");
}

BOOST_AUTO_TEST_CASE(roll_moves_around_the_end) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    PlainArray<T> from(x);
    for (int axis = 0; axis < x.rank(); ++axis) {
      const std::int64_t size = x.size(axis);
      for (const std::int64_t shift :
           {std::int64_t{1}, std::int64_t{-1}, size + 2, -2 * size - 3}) {
        PlainArray<T> expected(x.shape());
        for_each_index(x.shape(), [&](const Index& source) {
          Index to = source;
          to[at(axis)] = ((source[at(axis)] + shift) % size + size) % size;
          expected[to] = from[source];
        });
        check_equal(roll(x, shift, axis - x.rank()), expected);
      }
      BOOST_TEST(roll(x, 0, axis).same_as(x));
      BOOST_TEST(roll(x, -3 * size, axis).same_as(x));
    }
  });
  const Tensor x = numbered<float>(Shape{3});
  using Limits = std::numeric_limits<std::int64_t>;
  check_equal(roll(x, Limits::max(), 0), PlainArray<float>(roll(x, Limits::max() % 3, 0)));
  check_equal(roll(x, Limits::min(), 0), PlainArray<float>(roll(x, Limits::min() % 3, 0)));
  check_throws<ShapeError>(
      [] {
        roll(zeros(Shape{2, 3}), 1, 2);
      },
      "roll: axis 2 does not exist in shape [2, 3]");
  check_throws<UsageError>([] { roll(Tensor(), 1, 0); }, "empty");
}

BOOST_AUTO_TEST_CASE(pad_surrounds_with_a_value) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    PlainArray<T> from(x);
    for (int axis = 0; axis < x.rank(); ++axis) {
      for (const auto& [before, after] : {std::pair{0, 2}, {3, 0}, {1, 2}}) {
        PlainArray<T> expected(x.shape().with(axis, x.size(axis) + before + after));
        std::fill(expected.values.begin(), expected.values.end(), T(9));
        for_each_index(x.shape(), [&, shift = before](Index index) {
          const T value = from[index];
          index[at(axis)] += shift;
          expected[index] = value;
        });
        check_equal(pad(x, axis - x.rank(), before, after, 9), expected);
      }
      BOOST_TEST(pad(x, axis, 0, 0).same_as(x));
    }
  });
}

BOOST_AUTO_TEST_CASE(pad_refuses_impossible_sizes) {
  const Tensor x = zeros(Shape{2, 3});
  check_throws<ShapeError>([&] { pad(x, 0, -1, 0); }, "pad: got -1 elements before and 0 after");
  check_throws<ShapeError>([&] { pad(x, 2, 1, 0); }, "pad: axis 2 does not exist");
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  check_throws<ShapeError>([&] { pad(x, 0, most, most); }, "too many");
  check_throws<UsageError>(
      [&] { pad(x.to(DType::int64), 0, 1, 1, std::numeric_limits<double>::quiet_NaN()); },
      "cannot be converted to int64");
}

BOOST_AUTO_TEST_CASE(cumsum_adds_along_an_axis) {
  for_each_tensor([](const Tensor& x, auto type) {
    using T = decltype(type);
    PlainArray<T> from(x);
    for (int axis = 0; axis < x.rank(); ++axis) {
      PlainArray<T> forward(x.shape());
      PlainArray<T> backward(x.shape());
      for_each_index(x.shape(), [&](const Index& index) {
        // Sums of small integers are exact in every type.
        for (Index i = index; i[at(axis)] >= 0; --i[at(axis)]) {
          forward[index] += from[i];
        }
        for (Index i = index; i[at(axis)] < x.size(axis); ++i[at(axis)]) {
          backward[index] += from[i];
        }
      });
      check_equal(cumsum(x, axis), forward);
      check_equal(cumsum(x, axis - x.rank(), true), backward);
    }
  });
  check_throws<ShapeError>([] { cumsum(zeros(Shape{}), 0); }, "cumsum: axis 0");
}

BOOST_AUTO_TEST_CASE(cumsum_keeps_the_digits_of_long_sums) {
  constexpr std::int64_t n = 1'000'000;
  const Tensor y = cumsum(full(Shape{n}, 0.1), 0);
  const double step = 0.1f;
  const float* const sums = y.data<float>();
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double exact = step * static_cast<double>(i + 1);
    worst = std::max(worst, std::abs(static_cast<double>(sums[i]) - exact) / exact);
  }
  // Half a unit in the last place of a float32: a million roundings do not accumulate.
  BOOST_TEST(worst < 6.0e-8);
}

BOOST_AUTO_TEST_CASE(cumsum_passes_nan_on_and_only_on) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto y =
      cumsum(Tensor::from<float>(Shape{2, 3}, {1, nan, 2, 3, 4, 5}), 1).to_vector<float>();
  BOOST_TEST(y[0] == 1);
  BOOST_TEST(std::isnan(y[1]));
  BOOST_TEST(std::isnan(y[2]));
  BOOST_TEST(y[5] == 12);
}

BOOST_AUTO_TEST_CASE(gradients_return_to_where_the_elements_came_from) {
  // The seed numbers the elements of the result; the gradient must carry the numbers back. With
  // column views, the input is part of a wider tensor.
  Tape tape;
  const Tensor wide = tape.watch(numbered<double>(Shape{4, 9}));
  const Tensor x = slice(wide, 1, 2, 7);
  const auto gradient = [&](const Tensor& y) {
    return slice(tape.gradient(y, {wide}, {.seed = numbered<double>(y.shape()), .retain = true})[0],
                 1, 2, 7)
        .clone();
  };
  const Tensor tall = numbered<double>(Shape{5, 4});
  check_equal(gradient(transpose(x, 0, 1)), PlainArray<double>(transpose(tall, 0, 1)));
  check_equal(gradient(flip(x, {1})), PlainArray<double>(flip(numbered<double>(Shape{4, 5}), {1})));
  check_equal(gradient(roll(x, 2, 1)),
              PlainArray<double>(roll(numbered<double>(Shape{4, 5}), -2, 1)));
  check_equal(gradient(pad(x, 0, 1, 2)),
              PlainArray<double>(slice(numbered<double>(Shape{7, 5}), 0, 1, 5)));
  check_equal(gradient(cumsum(x, 0)),
              PlainArray<double>(cumsum(numbered<double>(Shape{4, 5}), 0, true)));
  const Tensor stack_seed = numbered<double>(Shape{4, 5, 2});
  PlainArray<double> both(select(stack_seed, 2, 0));
  const std::vector<double> second = select(stack_seed, 2, 1).to_vector<double>();
  for (std::size_t i = 0; i < second.size(); ++i) {
    both.values[i] += second[i];
  }
  check_equal(gradient(stack({x, x}, -1)), both);
}
