// Sorting along an axis: compared with the standard library, with equal elements, NaN and
// infinities, and the path of the gradient.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/sort.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

using Places = std::vector<std::int64_t>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

Places places(const Tensor& indices) { return indices.to_vector<std::int64_t>(); }

void check_places(const Tensor& indices, const Places& expected) {
  BOOST_TEST(places(indices) == expected, boost::test_tools::per_element());
}

/// The indices of a row's elements in sorted order, by std::stable_sort.
template <class T>
Places reference(const std::vector<T>& x, bool descending) {
  Places order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const T& left = x[static_cast<std::size_t>(a)];
    const T& right = x[static_cast<std::size_t>(b)];
    return descending ? right < left : left < right;
  });
  return order;
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_are_in_the_order_of_the_standard_library) {
  Rng rng(3);
  for (const std::int64_t n : {1, 2, 7, 16, 100, 1000}) {
    // Few different values, so that many are equal.
    const Tensor x = floor(rng.uniform({n}, 0, 20));
    const auto values = x.to_vector<float>();
    for (const bool descending : {false, true}) {
      const Places expected = reference(values, descending);
      const auto [sorted, indices] = sort(x, 0, descending);
      check_places(indices, expected);
      for (std::size_t i = 0; i < values.size(); ++i) {
        BOOST_TEST(sorted.to_vector<float>()[i] == values[static_cast<std::size_t>(expected[i])]);
      }
    }
    const Places all = reference(values, true);
    for (const std::int64_t k : {std::int64_t{0}, n / 2, n}) {
      check_places(topk(x, k).indices, Places(all.begin(), all.begin() + k));
    }
  }
}

BOOST_AUTO_TEST_CASE(every_axis_of_every_layout) {
  Rng rng(4);
  const Tensor wide = rng.normal({3, 4, 9});
  for (const Tensor& x : {wide, slice(wide, 2, 2, 7), slice(wide, 0, 1, 3)}) {
    for (int axis = 0; axis < 3; ++axis) {
      const auto [values, indices] = sort(x, axis - 3, true);
      // The last axis of a dense tensor is the fast path.
      const auto [moved, places_there] = sort(transpose(x, axis, 2).clone(), 2, true);
      BOOST_TEST(values.to_vector<float>() == transpose(moved, axis, 2).to_vector<float>());
      BOOST_TEST(places(indices) == places(transpose(places_there, axis, 2)));
      BOOST_TEST(gather(x, indices, axis).to_vector<float>() == values.to_vector<float>());
    }
    BOOST_TEST(topk(x, 2).values.to_vector<float>() ==
               slice(sort(x, -1, true).values, 2, 0, 2).to_vector<float>());
  }
}

BOOST_AUTO_TEST_CASE(nans_come_last_and_ties_as_they_stood) {
  const Tensor x = Tensor::of({nan_value, 1, -0.0, infinity, 0, -nan_value, -infinity, 1});
  check_places(sort(x).indices, {6, 2, 4, 1, 7, 3, 0, 5});
  check_places(sort(x, 0, true).indices, {3, 1, 7, 2, 4, 6, 0, 5});
  check_places(topk(x, 3).indices, {3, 1, 7});
  BOOST_TEST(std::isnan(topk(x, 7).values.to_vector<float>()[6]));
  check_places(topk(full({4}, nan_value), 2).indices, {0, 1});
}

BOOST_AUTO_TEST_CASE(integers_and_tensors_without_elements) {
  const auto [values, indices] = sort(Tensor::from<std::int64_t>({4}, {5, -3, 5, 1}));
  BOOST_TEST(values.to_vector<std::int64_t>() == Places({-3, 1, 5, 5}),
             boost::test_tools::per_element());
  check_places(indices, {1, 3, 0, 2});
  BOOST_TEST(sort(zeros({0})).values.shape() == Shape({0}));
  BOOST_TEST(sort(zeros({2, 0}), 0).indices.shape() == Shape({2, 0}));
  BOOST_TEST(topk(zeros({3, 0}), 0).values.shape() == Shape({3, 0}));
  BOOST_TEST(topk(ones({3, 5}), 0).indices.shape() == Shape({3, 0}));
}

BOOST_AUTO_TEST_CASE(the_gradient_goes_to_the_element_that_was_chosen) {
  Tape tape;
  const Tensor x = tape.watch(Tensor::of({{2, 9, 2}, {nan_value, 1, 5}}));
  const Tensor weights = Tensor::of({10, 1});
  const Tensor dx = tape.gradient(sum(topk(x, 2).values * weights), {x}, {.retain = true})[0];
  BOOST_TEST(dx.to_vector<float>() == std::vector<float>({1, 10, 0, 0, 1, 10}),
             boost::test_tools::per_element());
  const Tensor ds = tape.gradient(sum(sort(x).values * Tensor::of({1, 2, 3})), {x})[0];
  BOOST_TEST(ds.to_vector<float>() == std::vector<float>({1, 3, 2, 3, 1, 2}),
             boost::test_tools::per_element());
  BOOST_TEST(!sort(x).indices.requires_grad());
}

BOOST_AUTO_TEST_CASE(messages_begin_with_the_function) {
  const Tensor x = zeros({3, 5});
  check_throws<ShapeError>([&] { topk(x, 7); },
                           "topk: got k = 7, expected at most 5 (x is [3, 5])");
  check_throws<ShapeError>([&] { topk(x, -1); }, "topk: got k = -1, expected at least 0");
  check_throws<ShapeError>([&] { topk(scalar(1), 1); }, "topk: axis -1 does not exist");
  check_throws<ShapeError>([&] { sort(x, 2); }, "sort: axis 2 does not exist in shape [3, 5]");
  check_throws<ShapeError>([&] { sort(scalar(1)); }, "sort: axis -1 does not exist");
}
