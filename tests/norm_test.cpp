// Norms, standard deviations, products and truth values at zeros, at infinities and over no
// elements, where finite differences say nothing.

#include <cmath>
#include <limits>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/closeness.hpp"
#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

/// The first derivative of sum(f(x)) (order 1), or the sums over each row of the second (order 2).
template <class Function>
Numbers slope_of(const Function& f, const Tensor& x, int order = 1) {
  Tape tape;
  const Tensor watched = tape.watch(x);
  Tensor y = f(watched);
  for (; order > 1; --order) {
    y = tape.gradient(sum(y), {watched}, {.create_graph = true})[0];
  }
  return y.requires_grad() ? tape.gradient(sum(y), {watched})[0].to_vector<double>()
                           : zeros_like(x).to_vector<double>();
}

}  // namespace

BOOST_AUTO_TEST_CASE(norms_of_every_order) {
  const Tensor x = Tensor::of({{3, -4}, {0, -2}}, DType::float64);
  check_relative(norm(x, {1}).to_vector<double>(), {5, 2}, 1e-14);
  check_relative(norm(x, {1}, false, 1).to_vector<double>(), {7, 2}, 1e-14);
  check_relative(norm(x, {1}, false, infinity).to_vector<double>(), {4, 2}, 1e-14);
  check_relative(norm(x, {0}, true, 2).to_vector<double>(), {3, std::sqrt(20.0)}, 1e-14);
  BOOST_TEST(norm(x, {0}, true).shape() == Shape({1, 2}));
  BOOST_TEST(norm(vector_of<double>({1, 2, -2}), {}, false, 3).item() == std::cbrt(17.0),
             boost::test_tools::tolerance(1e-15));
  check_relative(slope_of([](const Tensor& v) { return norm(v); }, vector_of<double>({3, -4})),
                 {0.6, -0.8}, 1e-14);
  check_relative(slope_of([](const Tensor& v) { return norm(v, {}, false, 1); },
                          vector_of<double>({3, 0, -4})),
                 {1, 0, -1}, 1e-14);
  // Equal elements share the gradient, as in max.
  check_relative(slope_of([](const Tensor& v) { return norm(v, {}, false, infinity); },
                          vector_of<double>({3, -3, 1})),
                 {0.5, -0.5, 0}, 1e-14);
  check_throws<UsageError>([&] { norm(x, {}, false, 0.5); },
                           "norm: got p = 0.5, expected at least 1");
  check_throws<UsageError>([&] { norm(x, {}, false, nan_value); }, "norm: got p = nan");
  check_throws<ShapeError>([&] { norm(x, {2}); }, "norm: axis 2 does not exist");
  check_throws<UsageError>([&] { norm(arange(3)); }, "norm: got an int64 tensor");
}

BOOST_AUTO_TEST_CASE(norms_of_nothing_of_zeros_and_of_infinities) {
  for (const double p : {1.0, 1.5, 2.0, 3.0, infinity}) {
    const auto f = [p](const Tensor& v) { return norm(v, {}, false, p); };
    BOOST_TEST_CONTEXT("p = " << p) {
      BOOST_TEST(f(zeros({0})).item() == 0);
      BOOST_TEST(f(zeros({3})).item() == 0);
      check_relative(slope_of(f, vector_of<double>({0, -0.0, 0})), {0, 0, 0}, 1e-14);
      check_relative(slope_of(f, vector_of<double>({0, -0.0, 0}), 2), {0, 0, 0}, 1e-14);
      BOOST_TEST(f(vector_of<double>({1, -infinity})).item() == infinity);
      BOOST_TEST(std::isnan(f(vector_of<double>({1, nan_value})).item()));
    }
  }
  // A row of zeros does not affect the others.
  const Tensor rows = Tensor::of({{0, 0}, {3, 4}}, DType::float64);
  check_relative(slope_of([](const Tensor& v) { return norm(v, {1}); }, rows), {0, 0, 0.6, 0.8},
                 1e-14);
  check_relative(slope_of([](const Tensor& v) { return norm(v, {1}, false, 1.5); },
                          Tensor::of({{0, 4}}, DType::float64)),
                 {0, 1}, 1e-14);
}

BOOST_AUTO_TEST_CASE(standard_deviation_of_equal_and_of_few_elements) {
  const Tensor x = Tensor::of({{1, 3}, {2, 2}}, DType::float64);
  check_relative(stddev(x, {1}).to_vector<double>(), {std::sqrt(2.0), 0}, 1e-14);
  check_relative(stddev(x, {1}, true, 0).to_vector<double>(), {1, 0}, 1e-14);
  const auto f = [](const Tensor& v) { return stddev(v, {1}, false, 0); };
  check_relative(slope_of(f, x), {-0.5, 0.5, 0, 0}, 1e-14);
  BOOST_TEST(std::isnan(stddev(vector_of<double>({1})).item()));
  BOOST_TEST(stddev(vector_of<double>({1}), {}, false, 0).item() == 0);
  BOOST_TEST(std::isnan(stddev(vector_of<double>({1, infinity})).item()));
  BOOST_TEST(std::isnan(stddev(vector_of<double>({1, nan_value, 2})).item()));
  check_throws<ShapeError>([&] { stddev(x, {0, 0}); }, "stddev: axis 0 of [2, 2] is given twice");
}

BOOST_AUTO_TEST_CASE(products_with_zeros_have_their_gradient) {
  const auto f = [](const Tensor& v) { return prod(v); };
  check_relative(slope_of(f, vector_of<double>({2, 3, 5})), {15, 10, 6}, 1e-14);
  check_relative(slope_of(f, vector_of<double>({2, 0, 5, 0.5})), {0, 5, 0, 0}, 1e-14);
  check_relative(slope_of(f, vector_of<double>({2, 0, 5, 0, 7})), {0, 0, 0, 0, 0}, 1e-14);
  // Second derivatives: each is the product of all but two elements.
  check_relative(slope_of(f, vector_of<double>({2, 3, 5}), 2), {8, 7, 5}, 1e-14);
  check_relative(slope_of(f, vector_of<double>({2, 0, 0, 7}), 2), {0, 14, 14, 0}, 1e-14);
  BOOST_TEST(prod(zeros({0})).item() == 1);
  check_relative(prod(zeros({2, 0}, DType::float64), {1}).to_vector<double>(), {1, 1}, 1e-14);
  BOOST_TEST(prod(scalar(3)).item() == 3);
  BOOST_TEST(prod(vector_of<double>({2, infinity})).item() == infinity);
  BOOST_TEST(std::isnan(prod(vector_of<double>({0, infinity})).item()));
  BOOST_TEST(std::isnan(prod(vector_of<double>({0, nan_value})).item()));
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  BOOST_TEST(prod(x, {0}).to_vector<float>() == std::vector<float>({4, 10, 18}),
             boost::test_tools::per_element());
  BOOST_TEST(prod(x, {-1}, true).shape() == Shape({2, 1}));
  check_throws<UsageError>([] { prod(arange(3)); }, "prod: got an int64 tensor");
}

BOOST_AUTO_TEST_CASE(whether_any_or_all_are_not_zero) {
  const Tensor x = Tensor::of({{0, 1, 0}, {0, -0.0, 0}, {2, nan_value, -infinity}});
  const auto numbers = [](const Tensor& t) { return t.to_vector<float>(); };
  using Floats = std::vector<float>;
  BOOST_TEST(numbers(any(x, {1})) == Floats({1, 0, 1}), boost::test_tools::per_element());
  BOOST_TEST(numbers(all(x, {1})) == Floats({0, 0, 1}), boost::test_tools::per_element());
  BOOST_TEST(numbers(any(x, {0}, true)) == Floats({1, 1, 1}), boost::test_tools::per_element());
  BOOST_TEST(any(x > 1).item() == 1);
  BOOST_TEST(all(x > 1).item() == 0);
  BOOST_TEST(any(zeros({0})).item() == 0);
  BOOST_TEST(all(zeros({0})).item() == 1);
  BOOST_TEST(numbers(all(zeros({2, 0}), {1})) == Floats({1, 1}), boost::test_tools::per_element());
  check_throws<UsageError>([] { any(arange(3)); }, "any: got an int64 tensor");
  check_throws<ShapeError>([&] { all(x, {5}); }, "all: axis 5 does not exist");
  Tape tape;
  const Tensor watched = tape.watch(ones({2, 2}));
  const auto operations = tape.operations();
  BOOST_TEST(!any(watched).requires_grad());
  BOOST_TEST(tape.operations() == operations);
}
