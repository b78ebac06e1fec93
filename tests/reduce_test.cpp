// Reductions against long-double references, over every set of axes and layouts with gaps, and edge
// cases.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/as_columns.hpp"
#include "support/closeness.hpp"
#include "support/gradient_of.hpp"
#include "support/messages.hpp"
#include "support/random_tensors.hpp"

namespace {

using namespace rw::testing;
using rw::Axes;
using rw::DType;
using rw::Shape;
using rw::Tensor;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float largest = std::numeric_limits<float>::max();

/// Numbers whose products over whole tensors stay finite.
Tensor small_tensor(const Shape& shape, unsigned seed = 1) {
  return random_tensor(shape, seed, -2, 2);
}

using Group = std::vector<double>;

/// The elements of each result, in row-major order of the results.
std::vector<Group> groups(const Tensor& x, const std::vector<bool>& removed) {
  const Shape& shape = x.shape();
  Size results = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    results *= removed[static_cast<std::size_t>(axis)] ? 1 : shape[axis];
  }
  std::vector<Group> found(static_cast<std::size_t>(results));
  const std::vector<double> values = numbers(x);
  for (Size i = 0; i < shape.elements(); ++i) {
    Size rest = i;
    Size place = 0;
    Size step = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (!removed[static_cast<std::size_t>(axis)]) {
        place += rest % shape[axis] * step;
        step *= shape[axis];
      }
      rest /= shape[axis];
    }
    found[static_cast<std::size_t>(place)].push_back(values[static_cast<std::size_t>(i)]);
  }
  return found;
}

double sum_of(const Group& g) {
  long double total = 0;
  for (const double v : g) {
    total += v;
  }
  return static_cast<double>(total);
}
double mean_of(const Group& g) { return sum_of(g) / static_cast<double>(g.size()); }
double var_of(const Group& g) {
  long double total = 0;
  for (const double v : g) {
    total += (v - mean_of(g)) * (v - mean_of(g));
  }
  return static_cast<double>(total) / (static_cast<double>(g.size()) - 1);
}
double logsumexp_of(const Group& g) {
  long double total = 0;
  for (const double v : g) {
    total += std::exp(static_cast<long double>(v));
  }
  return static_cast<double>(std::log(total));
}
double stddev_of(const Group& g) { return std::sqrt(var_of(g)); }
double norm_of(const Group& g) {
  long double total = 0;
  for (const double v : g) {
    total += static_cast<long double>(v) * v;
  }
  return static_cast<double>(std::sqrt(total));
}
double prod_of(const Group& g) {
  long double product = 1;
  for (const double v : g) {
    product *= v;
  }
  return static_cast<double>(product);
}
double max_of(const Group& g) { return *std::max_element(g.begin(), g.end()); }
double min_of(const Group& g) { return *std::min_element(g.begin(), g.end()); }
double argmax_of(const Group& g) {
  return static_cast<double>(std::max_element(g.begin(), g.end()) - g.begin());
}
double argmin_of(const Group& g) {
  return static_cast<double>(std::min_element(g.begin(), g.end()) - g.begin());
}

/// An Axes list lives only as long as its braces, so every set of axes is written out.
template <class Body>
void for_axes(int rank, Body&& body) {
  const auto run = [&](Axes axes) {
    std::vector<bool> removed(static_cast<std::size_t>(rank), axes.size() == 0);
    for (const int axis : axes) {
      if (axis >= rank || axis < -rank) {
        return;
      }
      const auto front = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
      if (removed[front]) {
        return;
      }
      removed[front] = true;
    }
    body(axes, removed);
  };
  run({});
  run({0});
  run({-1});
  run({1});
  run({2});
  run({3});
  run({0, 1});
  run({1, 2});
  run({0, 2});
  run({-1, 0});
  run({1, 3});
  run({0, 2, 4});
  run({0, 1, -1});
  run({4, 3, 1});
  run({0, 1, 2});
}

struct Case {
  const char* name;
  Tensor (*run)(const Tensor&, Axes, bool);
  double (*reference)(const Group&);
  double tolerance;  // in units of the type's epsilon
};

const std::array<Case, 9> cases = {{
    {"sum", [](const Tensor& x, Axes a, bool k) { return rw::sum(x, a, k); }, sum_of, 40},
    {"mean", [](const Tensor& x, Axes a, bool k) { return rw::mean(x, a, k); }, mean_of, 8},
    {"max", [](const Tensor& x, Axes a, bool k) { return rw::max(x, a, k); }, max_of, 0},
    {"min", [](const Tensor& x, Axes a, bool k) { return rw::min(x, a, k); }, min_of, 0},
    {"var", [](const Tensor& x, Axes a, bool k) { return rw::var(x, a, k); }, var_of, 16},
    {"stddev", [](const Tensor& x, Axes a, bool k) { return rw::stddev(x, a, k); }, stddev_of, 16},
    {"norm", [](const Tensor& x, Axes a, bool k) { return rw::norm(x, a, k); }, norm_of, 16},
    {"prod", [](const Tensor& x, Axes a, bool k) { return rw::prod(x, a, k); }, prod_of, 40},
    {"logsumexp", [](const Tensor& x, Axes a, bool k) { return rw::logsumexp(x, a, k); },
     logsumexp_of, 8},
}};

void check_all_axes(const Tensor& x) {
  const double epsilon = x.dtype() == DType::float32
                             ? static_cast<double>(std::numeric_limits<float>::epsilon())
                             : std::numeric_limits<double>::epsilon();
  for_axes(x.rank(), [&](Axes axes, const std::vector<bool>& removed) {
    const std::vector<Group> parts = groups(x, removed);
    for (const Case& test : cases) {
      const bool is_spread = test.reference == var_of || test.reference == stddev_of;
      if (is_spread && parts.front().size() < 2) {
        continue;
      }
      std::vector<double> expected;
      for (const Group& part : parts) {
        expected.push_back(test.reference(part));
      }
      const std::string what = test.name + (" of " + rw::to_string(x.shape()));
      const Tensor kept = test.run(x, axes, true);
      check_close(kept, expected, test.tolerance * epsilon, what);
      check_close(test.run(x, axes, false), expected, test.tolerance * epsilon, what);
      BOOST_CHECK_EQUAL(kept.rank(), x.rank());
      for (int axis = 0; axis < x.rank(); ++axis) {
        BOOST_CHECK_EQUAL(kept.size(axis),
                          removed[static_cast<std::size_t>(axis)] ? 1 : x.size(axis));
      }
    }
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reduce)

BOOST_AUTO_TEST_CASE(every_set_of_axes_matches_the_reference) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{37}, Shape{1000}, Shape{5, 1}, Shape{1, 7},
                             Shape{33, 19}, Shape{9, 300}, Shape{3, 4, 5}, Shape{2, 17, 40},
                             Shape{2, 3, 4, 5}, Shape{3, 2, 4, 2, 18}}) {
    const Tensor x = small_tensor(shape);
    check_all_axes(x);
    check_all_axes(x.to(DType::float64));
  }
}

BOOST_AUTO_TEST_CASE(column_slices_match_the_reference) {
  for (const Shape& shape : {Shape{1}, Shape{7, 1}, Shape{33, 19}, Shape{3, 4, 21},
                             Shape{2, 3, 4, 5}, Shape{2, 3, 2, 2, 17}}) {
    const Tensor x = as_columns(small_tensor(shape));
    BOOST_CHECK(shape.rows() == 1 || !x.is_contiguous());
    check_all_axes(x);
  }
}

BOOST_AUTO_TEST_CASE(sums_of_ten_million_terms_keep_their_digits) {
  for (const double value : {1.0, 0.1, -3.3}) {
    const Size n = 10'000'000;
    const Tensor x = rw::full(Shape{n}, value);
    const double exact = static_cast<double>(static_cast<float>(value)) * static_cast<double>(n);
    BOOST_CHECK_SMALL(rw::sum(x).item() / exact - 1, 1e-6);
    BOOST_CHECK_SMALL(rw::mean(x).item() / static_cast<double>(static_cast<float>(value)) - 1,
                      1e-6);
    const Tensor columns = rw::sum(rw::reshape(x, Shape{n / 2, 2}), {0});
    for (const double column : numbers(columns)) {
      BOOST_CHECK_SMALL(column / (exact / 2) - 1, 1e-6);
    }
    for (const double column :
         numbers(rw::sum_to(rw::reshape(x, Shape{n / 100, 100}), Shape{100}))) {
      BOOST_CHECK_SMALL(column / (exact / 100) - 1, 1e-6);
    }
  }
}

BOOST_AUTO_TEST_CASE(logsumexp_of_many_terms_keeps_its_digits) {
  const Size n = 1'000'000;
  const double expected = std::log(static_cast<double>(n)) + static_cast<double>(0.25f);
  const Tensor x = rw::full(Shape{n, 1}, 0.25);
  BOOST_CHECK_CLOSE(rw::logsumexp(x).item(), expected, 2e-5);
  const Tensor columns = rw::logsumexp(rw::expand(x, Shape{n, 3}), {0});
  for (const double column : numbers(columns)) {
    BOOST_CHECK_CLOSE(column, expected, 2e-5);
  }
}

BOOST_AUTO_TEST_CASE(nothing_to_reduce) {
  const Tensor x = rw::zeros(Shape{3, 0});
  check_values(rw::sum(x), {0});
  check_values(rw::sum(x, {1}), {0, 0, 0});
  check_values(rw::sum(x, {1}, true), {0, 0, 0});
  BOOST_CHECK(rw::sum(x, {0}).shape() == Shape{0});
  BOOST_CHECK(rw::max(x, {0}).shape() == Shape{0});
  BOOST_CHECK(std::isnan(rw::mean(x).item()));
  check_values(rw::logsumexp(x, {1}), {-infinity, -infinity, -infinity});
  check_values(rw::logsumexp(rw::zeros(Shape{0, 2}), {0}), {-infinity, -infinity});
  BOOST_CHECK_THROW(rw::max(x), rw::ShapeError);
  BOOST_CHECK_THROW(rw::min(x, {1}), rw::ShapeError);
  BOOST_CHECK_THROW(rw::argmax(x), rw::ShapeError);
  BOOST_CHECK_THROW(rw::argmin(x), rw::ShapeError);
  BOOST_CHECK(gradient_of(x, [](const Tensor& v) { return rw::sum(v, {1}); }).shape() == x.shape());
  BOOST_CHECK(gradient_of(x, [](const Tensor& v) { return rw::logsumexp(v, {1}); }).shape() ==
              x.shape());
}

BOOST_AUTO_TEST_CASE(variance_needs_two_elements) {
  BOOST_CHECK(std::isnan(rw::var(rw::ones(Shape{1})).item()));
  BOOST_CHECK_EQUAL(rw::var(rw::ones(Shape{1}), {}, false, 0.0).item(), 0.0);
  const Tensor x = Tensor::from<float>(Shape{2, 2}, {1, 3, 10, 10});
  check_values(rw::var(x, {1}), {2, 0});
  check_values(rw::var(x, {1}, false, 0.0), {1, 0});
}

BOOST_AUTO_TEST_CASE(nan_reaches_every_reduction) {
  for (const Size n : {1, 3, 15, 16, 17, 40, 129, 1000}) {
    for (const Size at : {Size{0}, n / 2, n - 1}) {
      std::vector<float> values(static_cast<std::size_t>(n), 1.0f);
      values[static_cast<std::size_t>(at)] = nan_value;
      const Tensor row = Tensor::from<float>(Shape{n}, values);
      const Tensor column = rw::reshape(row, Shape{n, 1});
      const Tensor columns = rw::expand(column, Shape{n, 20});
      for (const Case& test : cases) {
        BOOST_CHECK_MESSAGE(std::isnan(test.run(row, {}, false).item()), test.name << " of " << n);
        for (const double v : numbers(test.run(columns, {0}, false))) {
          BOOST_CHECK_MESSAGE(std::isnan(v), test.name << " of columns of " << n);
        }
      }
      BOOST_CHECK_EQUAL(rw::argmax(row).item(), static_cast<double>(at));
      BOOST_CHECK_EQUAL(rw::argmin(row).item(), static_cast<double>(at));
    }
  }
}

BOOST_AUTO_TEST_CASE(infinities) {
  const Tensor x = Tensor::from<float>(
      Shape{5, 3}, {-infinity, -infinity, -infinity, 1, infinity, 2, 1e38f, 1e38f, -infinity,
                    largest, largest, largest, -largest, -largest, -largest});
  const std::vector<float> rows = rw::logsumexp(x, {1}).to_vector<float>();
  BOOST_CHECK_EQUAL(rows[0], -infinity);
  BOOST_CHECK_EQUAL(rows[1], infinity);
  BOOST_CHECK_EQUAL(rows[2], 1e38f);
  BOOST_CHECK_EQUAL(rows[3], largest);
  BOOST_CHECK_EQUAL(rows[4], -largest);
  check_values(rw::max(x, {1}), {-infinity, infinity, 1e38f, largest, -largest});
  check_values(rw::min(x, {1}), {-infinity, 1, -infinity, largest, -largest});
  check_values(rw::logsumexp(rw::slice(x, 0, 0, 1), {0}), {-infinity, -infinity, -infinity});
  check_values(rw::logsumexp(Tensor::from<float>(Shape{1}, {3.7f})), {3.7f});
  check_values(gradient_of(rw::slice(x, 0, 0, 1), [](const Tensor& v) { return rw::logsumexp(v); }),
               {0, 0, 0});
  BOOST_CHECK_EQUAL(rw::sum(Tensor::from<float>(Shape{2}, {infinity, 1})).item(), infinity);
  BOOST_CHECK(std::isnan(rw::sum(Tensor::from<float>(Shape{2}, {infinity, -infinity})).item()));
}

// Partial sums of float32 overflow; the results do not.
BOOST_AUTO_TEST_CASE(float32_sums_do_not_overflow_on_the_way) {
  const float big = 3e38f;
  for (const Size n : {2, 8, 16, 17, 64, 129, 1000}) {
    const Tensor x = rw::full(Shape{n}, 3e38);
    check_values(rw::mean(x), {big});
    check_values(rw::mean(rw::expand(rw::reshape(x, Shape{n, 1}), Shape{n, 3}), {0}),
                 {big, big, big});
    check_values(rw::mean(rw::expand(x, Shape{3, 2, n}), {0, 2}), {big, big});
    check_values(gradient_of(x, [](const Tensor& v) { return rw::mean(v); }),
                 std::vector<float>(static_cast<std::size_t>(n), 1 / static_cast<float>(n)));
    // The second half cancels the first.
    Tensor halves = rw::concat({x, -x, rw::full(Shape{1}, 7.0)}, 0);
    check_values(rw::sum(halves), {7});
    check_values(rw::sum(rw::reshape(halves, Shape{2 * n + 1, 1}), {0}), {7});
    check_values(
        rw::sum_to(rw::expand(rw::reshape(halves, Shape{2 * n + 1, 1}), {2 * n + 1, 4}), Shape{4}),
        {7, 7, 7, 7});
    check_values(rw::sum(x), {infinity});
    check_values(rw::sum(-x), {-infinity});
    // Infinite elements stay infinite.
    halves.mutable_data<float>()[2 * n] = -infinity;
    check_values(rw::mean(halves), {-infinity});
    halves.mutable_data<float>()[0] = infinity;
    BOOST_CHECK(std::isnan(rw::mean(halves).item()));
  }
  // Each column separately, on both sides of the width of a block.
  Tensor x = rw::full(Shape{40, 300}, 1.0);
  for (Size r = 0; r < 40; ++r) {
    for (const Size c : {3, 255, 256, 299}) {
      x.mutable_data<float>()[r * 300 + c] = c == 256 ? nan_value : big;
    }
  }
  const std::vector<float> means = rw::mean(x, {0}).to_vector<float>();
  for (Size c = 0; c < 300; ++c) {
    const float got = means[static_cast<std::size_t>(c)];
    BOOST_CHECK(c == 256 ? std::isnan(got) : got == (c == 3 || c == 255 || c == 299 ? big : 1));
  }
  BOOST_CHECK_EQUAL(rw::var(rw::full(Shape{64}, 3e38)).item(), 0.0);
}

BOOST_AUTO_TEST_CASE(infinite_ties_share_the_gradient) {
  const Tensor x = Tensor::from<float>(
      Shape{3, 3}, {infinity, 1, infinity, -infinity, -infinity, -infinity, -infinity, 2, 2});
  check_values(gradient_of(x, [](const Tensor& v) { return rw::max(v, {1}); }),
               {0.5f, 0, 0.5f, 1.0f / 3, 1.0f / 3, 1.0f / 3, 0, 0.5f, 0.5f});
  check_values(gradient_of(x, [](const Tensor& v) { return rw::min(v, {1}); }),
               {0, 1, 0, 1.0f / 3, 1.0f / 3, 1.0f / 3, 1, 0, 0});
  const std::vector<float> slope = gradient_of(rw::slice(x, 0, 0, 1), [](const Tensor& v) {
                                     return rw::logsumexp(v, {1});
                                   }).to_vector<float>();
  BOOST_CHECK(std::isnan(slope[0]) && slope[1] == 0 && std::isnan(slope[2]));
  BOOST_CHECK(std::isnan(
      gradient_of(rw::ones(Shape{1}), [](const Tensor& v) { return rw::var(v); }).item()));
}

BOOST_AUTO_TEST_CASE(argmax_matches_the_reference) {
  for (const Tensor& x : {small_tensor(Shape{37}), small_tensor(Shape{5, 40}),
                          small_tensor(Shape{3, 4, 5}), as_columns(small_tensor(Shape{3, 4, 5}))}) {
    for (int axis = 0; axis < x.rank(); ++axis) {
      std::vector<bool> removed(static_cast<std::size_t>(x.rank()));
      removed[static_cast<std::size_t>(axis)] = true;
      std::vector<double> expected;
      std::vector<double> smallest;
      for (const Group& part : groups(x, removed)) {
        expected.push_back(argmax_of(part));
        smallest.push_back(argmin_of(part));
      }
      check_close(rw::argmin(x, axis), smallest, 0, "argmin");
      const Tensor got = rw::argmax(x, axis);
      BOOST_CHECK(got.dtype() == DType::int64);
      BOOST_CHECK(got.shape() == x.shape().without(axis));
      BOOST_CHECK(rw::argmax(x, axis - x.rank(), true).shape() == x.shape().with(axis, 1));
      check_close(got, expected, 0, "argmax");
    }
  }
  const Tensor ties = Tensor::from<double>(Shape{2, 4}, {1, 7, 7, 0, -0.0, 0.0, -1, 0});
  check_close(rw::argmax(ties), {1, 0}, 0, "first of ties");
  check_close(rw::argmin(ties), {3, 2}, 0, "first of ties");
  check_close(rw::argmin(-ties), {1, 0}, 0, "first of ties");
  check_close(rw::argmax(rw::full(Shape{3}, -INFINITY)), {0}, 0, "all -infinity");
}

BOOST_AUTO_TEST_CASE(ties_share_the_gradient) {
  const Tensor x = Tensor::from<float>(Shape{2, 4}, {1, 3, 3, 0, 5, 5, 5, 5});
  check_values(gradient_of(x, [](const Tensor& v) { return rw::max(v, {1}); }),
               {0, 0.5f, 0.5f, 0, 0.25f, 0.25f, 0.25f, 0.25f});
  check_values(gradient_of(x, [](const Tensor& v) { return rw::min(v, {1}, true); }),
               {0, 0, 0, 1, 0.25f, 0.25f, 0.25f, 0.25f});
  check_values(gradient_of(x, [](const Tensor& v) { return rw::max(v); }),
               {0, 0, 0, 0, 0.25f, 0.25f, 0.25f, 0.25f});
}

BOOST_AUTO_TEST_CASE(gradients_of_plain_reductions) {
  const Tensor x = as_columns(small_tensor(Shape{3, 2, 4}));
  check_values(gradient_of(x,
                           [](const Tensor& v) {
                             return rw::sum(v, {0, 2});
                           }),
               std::vector<float>(24, 1.0f));
  check_values(gradient_of(x,
                           [](const Tensor& v) {
                             return rw::mean(v, {0, 2});
                           }),
               std::vector<float>(24, 1.0f / 12.0f));
  const Tensor gradient = gradient_of(x, [](const Tensor& v) { return rw::logsumexp(v, {2}); });
  check_close(gradient, numbers(rw::softmax(x)), 1e-6, "gradient of logsumexp");
  const Tensor spread = gradient_of(x, [](const Tensor& v) { return rw::var(v, {0, 1, 2}); });
  std::vector<double> expected;
  const double mean = rw::mean(x).item();
  for (const double v : numbers(x)) {
    expected.push_back(2 * (v - mean) / 23);
  }
  check_close(spread, expected, 1e-6, "gradient of var");
}

BOOST_AUTO_TEST_CASE(max_can_be_differentiated_twice) {
  const Tensor x = Tensor::from<double>(Shape{4}, {1, 3, 2, 3});
  rw::Tape tape;
  const Tensor v = tape.watch(x);
  const Tensor y = rw::max(v * v);
  const Tensor first = tape.gradient(y, {v}, {.create_graph = true}).front();
  check_close(first, {0, 3, 0, 3}, 0, "d max(x^2)");
  const Tensor second = tape.gradient(rw::sum(first), {v}).front();
  check_close(second, {0, 1, 0, 1}, 0, "d^2 max(x^2)");
}

BOOST_AUTO_TEST_CASE(expand_repeats_and_sum_to_adds_up) {
  const std::vector<std::pair<Shape, Shape>> stretches = {
      {Shape{}, Shape{3, 4}},
      {Shape{4}, Shape{3, 4}},
      {Shape{3, 1}, Shape{3, 4}},
      {Shape{1, 1}, Shape{2, 3}},
      {Shape{2, 1, 4}, Shape{2, 3, 4}},
      {Shape{1, 3, 1}, Shape{2, 3, 4}},
      {Shape{3, 1, 1}, Shape{2, 3, 4, 5}},
      {Shape{2, 1, 3, 1, 2}, Shape{2, 2, 3, 4, 2}},
      {Shape{1}, Shape{0}},
      {Shape{1, 3}, Shape{0, 3}},
      {Shape{3, 1}, Shape{3, 0}},
      {Shape{2, 3}, Shape{2, 3}}};
  for (const auto& stretch : stretches) {
    const Shape& from = stretch.first;
    const Shape& to = stretch.second;
    const std::array<Tensor, 2> layouts = {
        small_tensor(from), from.rank() > 0 ? as_columns(small_tensor(from)) : small_tensor(from)};
    for (const Tensor& x : layouts) {
      const Tensor y = rw::expand(x, to);
      BOOST_REQUIRE(y.shape() == to);
      // The pointwise operations broadcast with other code.
      check_values(y, (x + rw::zeros(to)).to_vector<float>());
      const double copies =
          static_cast<double>(to.elements()) / static_cast<double>(from.elements());
      std::vector<double> expected = numbers(x);
      for (double& v : expected) {
        v *= copies;
      }
      const Tensor back = rw::sum_to(y, from);
      BOOST_REQUIRE(back.shape() == from);
      check_close(back, expected, 1e-6, "sum_to");
      check_values(gradient_of(x, [&](const Tensor& v) { return rw::expand(v, to); }),
                   std::vector<float>(static_cast<std::size_t>(from.elements()),
                                      static_cast<float>(copies)));
      check_values(gradient_of(y, [&](const Tensor& v) { return rw::sum_to(v, from); }),
                   std::vector<float>(static_cast<std::size_t>(to.elements()), 1.0f));
    }
  }
  const Tensor indices = rw::expand(rw::arange(3), Shape{2, 3});
  BOOST_CHECK(indices.to_vector<std::int64_t>() == (std::vector<std::int64_t>{0, 1, 2, 0, 1, 2}));
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = rw::zeros(Shape{2, 3});
  BOOST_CHECK_EXCEPTION(rw::sum(x, {2}), rw::ShapeError, says("2"));
  BOOST_CHECK_EXCEPTION(rw::sum(x, {0, -2}), rw::ShapeError, says("given twice"));
  BOOST_CHECK_EXCEPTION(rw::sum(rw::arange(3)), rw::UsageError, says("int64"));
  BOOST_CHECK_EXCEPTION(rw::expand(x, Shape{3}), rw::ShapeError, says("[2, 3]"));
  BOOST_CHECK_EXCEPTION(rw::expand(x, Shape{2, 4}), rw::ShapeError, says("[2, 4]"));
  BOOST_CHECK_EXCEPTION(rw::sum_to(x, Shape{2}), rw::ShapeError, says("[2]"));
  BOOST_CHECK_EXCEPTION(rw::sum_to(x, Shape{1, 2, 3}), rw::ShapeError, says("[1, 2, 3]"));
  BOOST_CHECK_THROW(rw::argmax(rw::scalar(1.0)), rw::ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
