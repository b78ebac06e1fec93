#pragma once
// How far apart two lists of numbers or two tensors are.

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/tensor/shape.hpp>

#include "numbers.hpp"

namespace rw::testing {

inline const Numbers& numbers(const Numbers& x) { return x; }

/// Equal, or both NaN.
inline bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Equal shapes and elements.
inline bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && numbers(a) == numbers(b);
}

/// Checks that each got[i] differs from expected[i] by at most tolerance * unit(expected[i]);
/// infinities and NaN must be the same. `got` and `expected` are tensors or lists of numbers; two
/// tensors must have equal shapes.
template <class Got, class Expected, class Unit>
void check_within(const Got& got, const Expected& expected, double tolerance, Unit unit,
                  const std::string& what) {
  if constexpr (std::is_same_v<Got, Tensor> && std::is_same_v<Expected, Tensor>) {
    BOOST_TEST_REQUIRE(got.shape() == expected.shape(),
                       what << " has shape " << to_string(got.shape()) << ", expected "
                            << to_string(expected.shape()));
  }
  const Numbers a = numbers(got);
  const Numbers b = numbers(expected);
  BOOST_REQUIRE_EQUAL(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST((same_number(a[i], b[i]) || std::abs(a[i] - b[i]) <= tolerance * unit(b[i])),
               what << " element " << i << " is " << a[i] << ", expected " << b[i]);
  }
}

/// |got - expected| <= tolerance.
template <class Got = Numbers, class Expected = Numbers>
void check_near(const Got& got, const Expected& expected, double tolerance,
                const std::string& what = "") {
  check_within(
      got, expected, tolerance, [](double) { return 1.0; }, what);
}
/// |got - expected| <= tolerance max(1, |expected|).
template <class Got = Numbers, class Expected = Numbers>
void check_close(const Got& got, const Expected& expected, double tolerance,
                 const std::string& what = "") {
  check_within(
      got, expected, tolerance, [](double x) { return std::max(1.0, std::abs(x)); }, what);
}
/// |got - expected| <= tolerance |expected|.
template <class Got = Numbers, class Expected = Numbers>
void check_relative(const Got& got, const Expected& expected, double tolerance,
                    const std::string& what = "") {
  check_within(
      got, expected, tolerance, [](double x) { return std::abs(x); }, what);
}

/// Equal to the last bit, in float32.
inline void check_values(const Tensor& got, const std::vector<float>& expected) {
  BOOST_TEST(got.to_vector<float>() == expected, boost::test_tools::per_element());
}

/// The largest |a_i - b_i|; NaN if one of them is NaN.
inline double largest_difference(const Numbers& a, const Numbers& b) {
  BOOST_REQUIRE_EQUAL(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    largest = difference <= largest ? largest : difference;
  }
  return largest;
}
inline double largest_difference(const Tensor& a, const Tensor& b) {
  BOOST_TEST_REQUIRE(a.shape() == b.shape());
  return largest_difference(numbers(a), numbers(b));
}

/// The same relative to the largest |b_i|, or to 1.
inline double relative_difference(const Numbers& a, const Numbers& b) {
  double scale = 1;
  for (const double x : b) {
    scale = std::max(scale, std::abs(x));
  }
  return largest_difference(a, b) / scale;
}

}  // namespace rw::testing
