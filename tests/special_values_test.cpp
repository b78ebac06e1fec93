// First and second derivatives at equal operands, zeros, huge, tiny and infinite numbers, where
// finite differences say nothing, compared with closed forms. Those of functions of one number are
// in support/pointwise_oracles.hpp.

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/fuse/pointwise_operations.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/activation.hpp>

#include "support/pointwise_oracles.hpp"

namespace {

using rw::DType;
using rw::Tensor;
using rw::testing::Accuracy;
using rw::testing::density;
using rw::testing::distribution;
using rw::testing::gelu_slope;
using rw::testing::Real;
using rw::testing::Unary;
using rw::testing::unary_operations;
using rw::testing::zero;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

// A layer's activation, whose value has a test of its own.
const Unary hard_sigmoid{"hard_sigmoid",
                         [](const Tensor& x) { return rw::hard_sigmoid(x); },
                         nullptr,
                         {[](Real x) { return -3 <= x && x <= 3 ? 1 / 6.0L : 0; }, zero},
                         {-9, 9}};

template <class T>
std::vector<double> special_values(double low, double high) {
  using Limits = std::numeric_limits<T>;
  const double denormal = sizeof(T) == 4 ? 1e-40 : 1e-310;
  std::vector<double> all = {
      0,  denormal, Limits::min(), 1e-6, 0.5,           1,  3, 5.5, 17, 39, 40,
      41, 88,       1000,          1e30, Limits::max(), inf};
  for (std::size_t i = all.size(); i-- > 0;) {
    all.push_back(-all[i]);
  }
  std::vector<double> defined;
  for (const double x : all) {
    // At -0, a function whose domain ends at 0 has no derivative to compare.
    if (low <= x && x <= high && !(low == 0 && std::signbit(x))) {
      defined.push_back(x);
    }
  }
  return defined;
}

/// The gradient of sum(y), or zeros if y depends on nothing recorded.
Tensor gradient_or_zeros(rw::Tape& tape, const Tensor& y, const Tensor& x, bool recorded) {
  return y.requires_grad()
             ? tape.gradient(sum(y), {x}, {.retain = true, .create_graph = recorded})[0]
             : rw::zeros_like(x);
}

template <class T>
bool close(double got, Real want, Real x, Accuracy accuracy) {
  const T rounded = static_cast<T>(want);
  if (std::isnan(got) || std::isinf(got) || std::isinf(rounded)) {
    return got == static_cast<double>(rounded);
  }
  const Real scale = accuracy == Accuracy::absolute   ? 1
                     : accuracy == Accuracy::argument ? std::clamp<Real>(std::abs(x), 1, 1000)
                                                      : std::abs(want);
  const Real lost = accuracy == Accuracy::exponent && want != 0 ? x * x : 0;
  const Real bound = (8 + 4 * lost) * std::numeric_limits<T>::epsilon() * scale;
  return std::abs(got - want) <= bound + std::numeric_limits<T>::min();
}

template <class T>
void check_unary(const Unary& f) {
  const DType dtype = sizeof(T) == 4 ? DType::float32 : DType::float64;
  const rw::testing::Derivatives& d = f.derivatives;
  const std::vector<double> points = special_values<T>(d.low, d.high);
  const auto n = static_cast<std::int64_t>(points.size());
  rw::Tape tape;
  const Tensor x = tape.watch(Tensor::from<double>({n}, points).to(dtype));
  const Tensor y = f.function(x);
  const auto plain = gradient_or_zeros(tape, y, x, false).to(DType::float64).to_vector<double>();
  const Tensor recorded = gradient_or_zeros(tape, y, x, true);
  const auto first = recorded.to(DType::float64).to_vector<double>();
  const auto second =
      gradient_or_zeros(tape, recorded, x, false).to(DType::float64).to_vector<double>();
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Real at = static_cast<T>(points[i]);
    BOOST_TEST((close<T>(plain[i], d.first(at), at, d.of_first)),
               name_of(dtype) << ' ' << f.name << "'(" << points[i] << ") = " << plain[i]
                              << ", expected " << d.first(at));
    BOOST_TEST((close<T>(first[i], d.first(at), at, d.of_first)),
               name_of(dtype) << ' ' << f.name << "'(" << points[i] << ") = " << first[i]
                              << " when recorded, expected " << d.first(at));
    BOOST_TEST((close<T>(second[i], d.second(at), at, d.of_second)),
               name_of(dtype) << ' ' << f.name << "''(" << points[i] << ") = " << second[i]
                              << ", expected " << d.second(at));
  }
}

/// A point of a function of two numbers with its derivatives. NaN means that a derivative does not
/// exist or is unspecified; even then the result must not be NaN.
struct Point {
  double a, b;
  double by_a, by_b;
  double by_aa, by_ab, by_bb;
};

struct Binary {
  const char* name;
  Tensor (*function)(const Tensor&, const Tensor&);
  std::vector<Point> points;
};

const double log_2 = std::log(2.0);
const double log_tiny = std::log(1e-310);

const std::vector<Binary> binary_functions = {
    {"add",
     [](const Tensor& a, const Tensor& b) { return a + b; },
     {{0, -0.0, 1, 1, 0, 0, 0}, {inf, 2, 1, 1, 0, 0, 0}, {1e308, 1e308, 1, 1, 0, 0, 0}}},
    {"sub",
     [](const Tensor& a, const Tensor& b) { return a - b; },
     {{0, 0, 1, -1, 0, 0, 0}, {2, inf, 1, -1, 0, 0, 0}, {1e308, 1e308, 1, -1, 0, 0, 0}}},
    {"mul",
     [](const Tensor& a, const Tensor& b) { return a * b; },
     {{0, 0, 0, 0, 0, 1, 0}, {inf, 2, 2, inf, 0, 1, 0}, {1e-200, 1e-200, 1e-200, 1e-200, 0, 1, 0}}},
    {"div",
     [](const Tensor& a, const Tensor& b) { return a / b; },
     {{0, 2, 0.5, 0, 0, -0.25, 0},
      {3, inf, 0, 0, 0, 0, 0},
      {3, -inf, 0, 0, 0, 0, 0},
      {1e-300, 1e-200, 1e200, -1e100, 0, -inf, 2e300},
      {1e200, 1e200, 1e-200, -1e-200, 0, 0, 0}}},
    {"pow",
     [](const Tensor& a, const Tensor& b) { return pow(a, b); },
     {{2, 0, 0, log_2, 0, 0.5, log_2* log_2},
      {2, 1, 1, 2 * log_2, 0, 1 + log_2, 2 * log_2* log_2},
      {2, 3, 12, 8 * log_2, 12, 4 + 12 * log_2, 8 * log_2* log_2},
      {1, 0, 0, 0, 0, 1, 0},
      {0, 0, 0, 0, 0, nan_value, nan_value},
      {-0.0, 0, 0, 0, 0, nan_value, nan_value},
      {0, 1, 1, 0, 0, nan_value, 0},
      {0, 2, 0, 0, 2, 0, 0},
      {0, 3, 0, 0, 0, 0, 0},
      {-3, 0, 0, 0, 0, nan_value, nan_value},
      {-3, 2, -6, 0, 2, nan_value, nan_value},
      {1e-310, 0, 0, log_tiny, 0, nan_value, log_tiny* log_tiny},
      {1e-100, 2, 2e-100, -1e-200 * 100 * std::log(10.0), 2, 1e-100 * (1 - 200 * std::log(10.0)),
       1e-196 * std::log(10.0) * std::log(10.0)},
      {1e300, 0.5, 0.5e-150, 1e150 * 300 * std::log(10.0), 0, 1e-150 * (1 + 150 * std::log(10.0)),
       1e150 * 9e4 * std::log(10.0) * std::log(10.0)},
      {inf, -1, 0, 0, 0, 0, 0},
      {inf, -0.5, 0, 0, 0, 0, 0}}},
    {"maximum",
     [](const Tensor& a, const Tensor& b) { return maximum(a, b); },
     {{0, -0.0, 0.5, 0.5, 0, 0, 0},
      {inf, inf, 0.5, 0.5, 0, 0, 0},
      {-inf, 2, 0, 1, 0, 0, 0},
      {inf, 2, 1, 0, 0, 0, 0},
      {1e-310, 0, 1, 0, 0, 0, 0}}},
    {"minimum",
     [](const Tensor& a, const Tensor& b) { return minimum(a, b); },
     {{0, -0.0, 0.5, 0.5, 0, 0, 0},
      {inf, inf, 0.5, 0.5, 0, 0, 0},
      {-inf, 2, 1, 0, 0, 0, 0},
      {inf, 2, 0, 1, 0, 0, 0},
      {1e-310, 0, 0, 1, 0, 0, 0}}},
    {"less",
     [](const Tensor& a, const Tensor& b) { return (a < b) * a; },
     {{0, 0, 0, 0, 0, 0, 0}, {-2, inf, 1, 0, 0, 0, 0}}},
    {"less_equal",
     [](const Tensor& a, const Tensor& b) { return (a <= b) * a; },
     {{0, 0, 1, 0, 0, 0, 0}, {-2, inf, 1, 0, 0, 0, 0}}},
    {"equal",
     [](const Tensor& a, const Tensor& b) { return equal(a, b) * b; },
     {{0, -0.0, 0, 1, 0, 0, 0}, {inf, 1, 0, 0, 0, 0, 0}}},
    {"not_equal",
     [](const Tensor& a, const Tensor& b) { return not_equal(a, b) * b; },
     {{0, -0.0, 0, 0, 0, 0, 0}, {inf, 1, 0, 1, 0, 0, 0}}},
    {"where",
     [](const Tensor& a, const Tensor& b) { return where(a > b, a, 2.0 * b); },
     {{0, 0, 0, 2, 0, 0, 0}, {inf, 1, 1, 0, 0, 0, 0}, {1, inf, 0, 2, 0, 0, 0}}},
};

void check_derivative(const char* name, const Point& at, const char* which, double got,
                      double want) {
  const bool right = std::isnan(want)   ? !std::isnan(got)
                     : std::isinf(want) ? got == want
                                        : std::abs(got - want) <= 1e-13 * std::abs(want);
  BOOST_TEST(right, name << '(' << at.a << ", " << at.b << ") by " << which << " is " << got
                         << ", expected " << want);
}

void check_binary(const Binary& f, const Point& at) {
  rw::Tape tape;
  const Tensor a = tape.watch(rw::scalar(at.a, DType::float64));
  const Tensor b = tape.watch(rw::scalar(at.b, DType::float64));
  const Tensor y = f.function(a, b);
  const auto check = [&](const char* which, const Tensor& got, double want) {
    check_derivative(f.name, at, which, got.item(), want);
  };
  check("a", gradient_or_zeros(tape, y, a, false), at.by_a);
  check("b", gradient_or_zeros(tape, y, b, false), at.by_b);
  const Tensor by_a = gradient_or_zeros(tape, y, a, true);
  const Tensor by_b = gradient_or_zeros(tape, y, b, true);
  check("a, recorded,", by_a, at.by_a);
  check("b, recorded,", by_b, at.by_b);
  check("a, a", gradient_or_zeros(tape, by_a, a, false), at.by_aa);
  check("a, b", gradient_or_zeros(tape, by_a, b, false), at.by_ab);
  check("b, a", gradient_or_zeros(tape, by_b, a, false), at.by_ab);
  check("b, b", gradient_or_zeros(tape, by_b, b, false), at.by_bb);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_pointwise_operation_has_special_values) {
  std::set<std::string> values;
  std::set<std::string> derivatives;
  for (const Unary& f : unary_operations) {
    values.insert(f.name);
    derivatives.insert(f.name);
  }
  for (const rw::testing::Binary& f : rw::testing::binary_operations) {
    values.insert(f.name);
  }
  for (const Binary& f : binary_functions) {
    derivatives.insert(f.name);
  }
  for (std::uint8_t i = 0; i < rw::pointwise::Operations::size; ++i) {
    rw::pointwise::visit_operation(i, [&]<class Operation>() {
      BOOST_TEST(values.contains(Operation::name),
                 Operation::name << " has no row in support/pointwise_oracles.hpp");
      BOOST_TEST(derivatives.contains(Operation::name),
                 Operation::name << " has no points in binary_functions above");
    });
  }
}

BOOST_AUTO_TEST_CASE(derivatives_of_one_number) {
  for (const Unary& f : unary_operations) {
    check_unary<float>(f);
    check_unary<double>(f);
  }
  check_unary<float>(hard_sigmoid);
  check_unary<double>(hard_sigmoid);
}

BOOST_AUTO_TEST_CASE(derivatives_of_two_numbers) {
  for (const Binary& f : binary_functions) {
    for (const Point& at : f.points) {
      check_binary(f, at);
    }
  }
}

using Floats = std::tuple<float, double>;
BOOST_AUTO_TEST_CASE_TEMPLATE(a_negated_zero_has_the_other_sign, T, Floats) {
  // Lengths that are multiples of a register's width and lengths that are not.
  for (const std::int64_t n : {1, 3, 16, 37}) {
    const Tensor x = rw::zeros({n}, rw::dtype_of<T>);
    for (const T negated : (-x).template to_vector<T>()) {
      BOOST_TEST(std::signbit(negated));
    }
    for (const T again : (-(-x)).template to_vector<T>()) {
      BOOST_TEST(!std::signbit(again));
    }
  }
}

BOOST_AUTO_TEST_CASE(infinite_gradients_go_where_they_belong) {
  rw::Tape tape;
  const auto watch = [&](const std::vector<double>& x) {
    return tape.watch(Tensor::from<double>({static_cast<std::int64_t>(x.size())}, x));
  };
  const Tensor a = watch({0, -1, 0});
  const Tensor b = watch({-1, 0, -1});
  const auto of_maximum = tape.gradient(sum(sqrt(maximum(a, b))), {a, b}, {.retain = true});
  BOOST_TEST(of_maximum[0].to_vector<double>() == std::vector<double>({inf, 0, inf}),
             boost::test_tools::per_element());
  BOOST_TEST(of_maximum[1].to_vector<double>() == std::vector<double>({0, inf, 0}),
             boost::test_tools::per_element());
  // 0 - a rather than -a, which would be -0: sqrt(-0) is -0, and the derivative there is 1 / -0.
  const auto of_minimum = tape.gradient(sum(sqrt(minimum(0 - a, 0 - b))), {a, b}, {.retain = true});
  BOOST_TEST(of_minimum[0].to_vector<double>() == std::vector<double>({-inf, 0, -inf}),
             boost::test_tools::per_element());
  BOOST_TEST(of_minimum[1].to_vector<double>() == std::vector<double>({0, -inf, 0}),
             boost::test_tools::per_element());
  const auto of_negated = tape.gradient(sum(sqrt(-a)), {a}, {.retain = true});
  BOOST_TEST(of_negated[0].to_vector<double>()[0] == inf);
  // A condition has no gradient: nothing flows back to what it was computed from.
  const Tensor root = sqrt(a);
  const Tensor chosen = where(root > 1.0, b, 2.0 * a) + equal(root, 3) + sign(root);
  for (const bool recorded : {false, true}) {
    const auto d = tape.gradient(sum(chosen), {a, b}, {.retain = true, .create_graph = recorded});
    BOOST_TEST(d[0].to_vector<double>()[0] == 2);
    BOOST_TEST(d[1].to_vector<double>()[0] == 0);
  }
}

// Far below 0, where 1 + erf and e^x - 1 + 1 would have lost all digits.
BOOST_AUTO_TEST_CASE(tails_keep_their_digits) {
  const auto check = [](auto type) {
    using T = decltype(type);
    using Limits = std::numeric_limits<T>;
    const DType dtype = sizeof(T) == 4 ? DType::float32 : DType::float64;
    for (int step = 1; step <= 800; ++step) {
      const T x = static_cast<T>(-0.05 * step);
      rw::Tape tape;
      const Tensor v = tape.watch(rw::scalar(x, dtype));
      const Tensor y = gelu(v);
      const Real real = x;
      const Real want = real * distribution(real);
      const auto bound = [&](Real value) {
        // The last digit of a tail below the normal range is multiplied by x.
        return (4 + 2 * real * real) * Limits::epsilon() * std::abs(value) +
               (1 - real) * Limits::denorm_min();
      };
      BOOST_TEST(std::abs(y.item() - want) <= bound(want),
                 name_of(dtype) << " gelu(" << x << ") = " << y.item() << ", expected " << want);
      const Real slope = gelu_slope(real);
      const double got = gradient_or_zeros(tape, y, v, false).item();
      BOOST_TEST(
          std::abs(got - slope) <= bound(distribution(real)) + 4 * bound(real * density(real)),
          name_of(dtype) << " gelu'(" << x << ") = " << got << ", expected " << slope);
      const double exponential = gradient_or_zeros(tape, elu(v), v, false).item();
      BOOST_TEST(std::abs(exponential - std::exp(real)) <=
                     4 * Limits::epsilon() * std::exp(real) + Limits::denorm_min(),
                 name_of(dtype) << " elu'(" << x << ") = " << exponential << ", expected "
                                << std::exp(real));
    }
  };
  check(float());
  check(double());
}

BOOST_AUTO_TEST_CASE(infinite_and_huge_values_of_gelu) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const auto y = gelu(Tensor::from<double>({6}, {-inf, -1e30, -50, 50, 1e30, inf}).to(dtype))
                       .to(DType::float64);
    const Tensor expected = Tensor::from<double>({6}, {0, 0, 0, 50, 1e30, inf}).to(dtype);
    BOOST_TEST(y.to_vector<double>() == expected.to(DType::float64).to_vector<double>(),
               boost::test_tools::per_element());
  }
}

// The branch that a formula's `where` does not take contributes 0, whatever its value and
// derivatives.
BOOST_AUTO_TEST_CASE(branches_not_taken) {
  struct Case {
    const char* name;
    Tensor (*function)(const Tensor&);
    std::vector<double> x;
    std::vector<double> derivatives[3];
  };
  const Case cases[] = {
      {"sqrt",
       [](const Tensor& x) { return rw::fuse([](auto v) { return where(v > 0, sqrt(v), 0); }, x); },
       {0, -1, 4, -inf},
       {{0, 0, 0.25, 0}, {0, 0, -1.0 / 32, 0}, {0, 0, 3.0 / 256, 0}}},
      {"exp",
       [](const Tensor& x) {
         return rw::fuse([](auto v) { return where(v <= 0, exp(v), 1 + v); }, x);
       },
       {1000, 0, inf},
       {{1, 1, 1}, {0, 1, 0}, {0, 1, 0}}},
      // The inner condition is read everywhere, the logarithm only where x > 0.
      {"log",
       [](const Tensor& x) {
         return rw::fuse(
             [](auto v) {
               return where(v > 0, where(log(v) < 0, 0, log(v) * log(v)), -1 / sqrt(-v));
             },
             x);
       },
       {0.5, 1, -4},
       {{0, 0, -1.0 / 16}, {0, 2, -3.0 / 128}, {0, -6, -15.0 / 1024}}},
      // One term in two branches, neither of which is taken at 0.
      {"two",
       [](const Tensor& x) {
         return rw::fuse(
             [](auto v) {
               const auto root = sqrt(abs(v));
               return where(v > 0, root, 0) + where(v < 0, 2 * root, 0);
             },
             x);
       },
       {4, 0, -4},
       {{0.25, 0, -0.5}, {-1.0 / 32, 0, -1.0 / 16}, {3.0 / 256, 0, -3.0 / 128}}},
      {"quotient",
       [](const Tensor& x) {
         return rw::fuse([](auto v, auto k) { return where(equal(v, 0), k * v, v * k / (v * v)); },
                         x, 3.0);
       },
       {0, 1, nan_value},
       {{3, -3, nan_value}, {0, 6, nan_value}, {0, -18, nan_value}}},
  };
  for (const Case& c : cases) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      rw::Tape tape;
      const Tensor x =
          tape.watch(Tensor::from<double>({static_cast<std::int64_t>(c.x.size())}, c.x).to(dtype));
      Tensor y = c.function(x);
      for (int order = 0; order < 3; ++order) {
        const auto plain =
            gradient_or_zeros(tape, y, x, false).to(DType::float64).to_vector<double>();
        y = gradient_or_zeros(tape, y, x, true);
        const auto recorded = y.to(DType::float64).to_vector<double>();
        for (std::size_t i = 0; i < c.x.size(); ++i) {
          for (const double got : {plain[i], recorded[i]}) {
            const double want = c.derivatives[order][i];
            const bool right = std::isnan(want) ? std::isnan(got) : std::abs(got - want) < 1e-5;
            BOOST_TEST(right, name_of(dtype)
                                  << ' ' << c.name << ", derivative " << order + 1 << " at "
                                  << c.x[i] << " is " << got << ", expected " << want);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(numbers_that_are_not_chosen_do_not_matter) {
  // NaN and infinity in padding, also as a factor of a differentiated value.
  rw::Tape tape;
  const Tensor mask = Tensor::from<double>({3}, {1, 0, 0});
  const Tensor x = tape.watch(Tensor::from<double>({3}, {2, nan_value, inf}));
  const Tensor w = tape.watch(rw::scalar(3.0, DType::float64));
  const Tensor y =
      rw::fuse([](auto m, auto v, auto k) { return where(m, k * v * v, 0); }, mask, x, w);
  const auto first = tape.gradient(sum(y), {x, w}, {.retain = true, .create_graph = true});
  BOOST_TEST(first[0].to_vector<double>() == std::vector<double>({12, 0, 0}),
             boost::test_tools::per_element());
  BOOST_TEST(first[1].item() == 4);
  const auto second = tape.gradient(sum(first[0]) + first[1], {x, w});
  BOOST_TEST(second[0].to_vector<double>() == std::vector<double>({6 + 4, 0, 0}),
             boost::test_tools::per_element());
  BOOST_TEST(second[1].item() == 4);
}
