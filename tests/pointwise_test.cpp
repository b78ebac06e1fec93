// Values and gradients of the pointwise operations at special values, their accuracy, broadcasting
// and strides.

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/pointwise_oracles.hpp"
#include "support/ulp.hpp"

namespace {

using rw::DType;
using rw::Shape;
using rw::Tensor;
using rw::testing::Binary;
using rw::testing::binary_operations;
using rw::testing::bound_of;
using rw::testing::Real;
using rw::testing::ulp_distance;
using rw::testing::Unary;
using rw::testing::unary_operations;
using Floats = std::vector<float>;

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

/// Lengths around the width of a register, for every instruction set.
constexpr std::int64_t lengths[] = {1, 15, 16, 17, 33};

/// Zeros, ones, numbers at the ends of the range and beyond, NaN of both signs, and neighbours of
/// round numbers.
template <class T>
std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  const T denormal = sizeof(T) == 4 ? T(1e-40) : T(1e-310);
  std::vector<T> values = {
      T(0),  T(1),   T(0.5), denormal, Limits::min(),      Limits::max(),
      T(88), T(104), T(1e3), T(1e30),  Limits::infinity(), Limits::quiet_NaN()};
  for (std::size_t i = values.size(); i-- > 0;) {
    values.push_back(-values[i]);
  }
  values.push_back(1 + Limits::epsilon());
  values.push_back(std::nextafter(T(0.5), T(1)));
  return values;
}

template <class T>
double error_of(const Unary& operation, T x, T got) {
  const Real want = operation.oracle(x);
  if (operation.against_argument && std::isfinite(x) && std::isfinite(got)) {
    return static_cast<double>(std::abs(got - want)) / rw::testing::ulp_of(x);
  }
  return ulp_distance(got, want);
}

template <class T>
int check_unary_edges() {
  const std::vector<T> specials = special_values<T>();
  int checks = 0;
  for (const Unary& operation : unary_operations) {
    for (const std::int64_t length : lengths) {
      // Shifted, so that each value is at each position once.
      for (std::size_t shift = 0; shift < specials.size(); ++shift) {
        std::vector<T> x;
        for (std::int64_t i = 0; i < length; ++i) {
          x.push_back(specials[(static_cast<std::size_t>(i) + shift) % specials.size()]);
        }
        const auto y = operation.function(Tensor::from<T>({length}, x)).template to_vector<T>();
        for (std::size_t i = 0; i < x.size(); ++i, ++checks) {
          BOOST_TEST(error_of(operation, x[i], y[i]) <= bound_of<T>(operation),
                     operation.name << '(' << x[i] << ") = " << y[i] << ", expected "
                                    << operation.oracle(x[i]) << ", at " << i << " of " << length);
          BOOST_TEST((!std::isnan(x[i]) || std::isnan(y[i]) == operation.passes_nan),
                     operation.name << "(NaN) = " << y[i]);
        }
      }
    }
  }
  return checks;
}

template <class T>
int check_binary_edges() {
  const std::vector<T> specials = special_values<T>();
  std::vector<T> a;
  std::vector<T> b;
  for (const T x : specials) {
    for (const T y : specials) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  const auto n = static_cast<std::int64_t>(a.size());
  int checks = 0;
  for (const Binary& operation : binary_operations) {
    const auto y = operation.function(Tensor::from<T>({n}, a), Tensor::from<T>({n}, b))
                       .template to_vector<T>();
    for (std::size_t i = 0; i < a.size(); ++i, ++checks) {
      const Real want = operation.oracle(a[i], b[i]);
      BOOST_TEST(
          ulp_distance(y[i], want) <= bound_of<T>(operation),
          operation.name << '(' << a[i] << ", " << b[i] << ") = " << y[i] << ", expected " << want);
    }
  }
  return checks;
}

template <class T>
double worst_error(const Unary& operation) {
  std::mt19937_64 engine(1);
  std::normal_distribution<double> normal;
  std::vector<T> x;
  // Normal numbers near 0 and across the whole range.
  const double middle = (operation.drawn.low + operation.drawn.high) / 2;
  const double width = (operation.drawn.high - operation.drawn.low) / 4;
  while (x.size() < 100'000) {
    const double z = normal(engine);
    const T candidate = static_cast<T>(x.size() % 2 == 0 ? z : middle + width * z);
    if (candidate > operation.drawn.low && candidate < operation.drawn.high) {
      x.push_back(candidate);
    }
  }
  const auto y = operation.function(Tensor::from<T>({static_cast<std::int64_t>(x.size())}, x))
                     .template to_vector<T>();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, error_of(operation, x[i], y[i]));
  }
  return worst;
}

float value_of(Tensor (*function)(const Tensor&), float x) {
  return static_cast<float>(function(rw::scalar(x)).item());
}

float slope_of(Tensor (*function)(const Tensor&), float x) {
  rw::Tape tape;
  const Tensor watched = tape.watch(rw::scalar(x));
  return static_cast<float>(tape.gradient(function(watched), {watched})[0].item());
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

const Unary& named(const char* name) {
  for (const Unary& operation : unary_operations) {
    if (std::string(operation.name) == name) {
      return operation;
    }
  }
  throw std::logic_error(name);
}

/// first, first + step, ...
Tensor ramp(const Shape& shape, float first, float step) {
  return rw::reshape(first + step * rw::arange(shape.elements(), DType::float32), shape);
}

}  // namespace

BOOST_AUTO_TEST_CASE(special_values_in_every_place) {
  const int unary = check_unary_edges<float>() + check_unary_edges<double>();
  const int binary = check_binary_edges<float>() + check_binary_edges<double>();
  fmt::print("special values: {} unary checks, {} binary checks\n", unary, binary);
  BOOST_TEST(unary + binary >= 5000);
}

BOOST_AUTO_TEST_CASE(accuracy_in_units_of_the_last_place) {
  fmt::print("largest error in ulp  float32  float64\n");
  for (const Unary& operation : unary_operations) {
    const double single = worst_error<float>(operation);
    const double precise = worst_error<double>(operation);
    fmt::print("  {:<18} {:>8.3f} {:>8.3f}\n", operation.name, single, precise);
    BOOST_TEST(single <= bound_of<float>(operation), operation.name);
    BOOST_TEST(precise <= bound_of<double>(operation), operation.name);
  }
}

BOOST_AUTO_TEST_CASE(whole_numbers_and_finite_ones) {
  // More numbers than fill a register.
  const Tensor x = rw::Tensor::from<float>(
      {20}, {0.5f,       1.5f,  2.5f,  -0.5f,    -1.5f,     -2.5f,     0.49999997f,
             8388607.5f, 1e30f, 0,     infinity, -infinity, nan_value, 1,
             -7.000001f, 3e38f, 0.75f, -0.75f,   2,         -2});
  const Floats rounded = round(x).to_vector<float>();
  const Floats below = floor(x).to_vector<float>();
  const Floats finite = isfinite(x).to_vector<float>();
  const Floats values = x.to_vector<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    BOOST_TEST(same(rounded[i], std::nearbyint(values[i])), "round " << values[i]);
    BOOST_TEST(same(below[i], std::floor(values[i])), "floor " << values[i]);
    BOOST_TEST(finite[i] == (std::isfinite(values[i]) ? 1.0f : 0.0f), "isfinite " << values[i]);
  }
  // In a formula too.
  const Tensor kept =
      rw::fuse([](auto v) { return where(isfinite(v), v - floor(v), round(v)); }, x);
  BOOST_TEST(kept.to_vector<float>()[17] == 0.25f);
  BOOST_TEST(kept.to_vector<float>()[10] == infinity);
  const Floats fused = rw::fuse([](auto v) { return silu(v); }, x).to_vector<float>();
  const Floats alone = silu(x).to_vector<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    BOOST_TEST(same(fused[i], alone[i]), "silu " << values[i]);
  }
  BOOST_TEST(isfinite(Tensor::from<double>({1}, {1e300})).item() == 1);
}

BOOST_AUTO_TEST_CASE(exact_values_and_slopes_at_the_edges) {
  struct Edge {
    const char* name;
    float x;
    float value;
    float slope;
  };
  constexpr Edge edges[] = {
      {"sigmoid", 1e3f, 1, 0},
      {"sigmoid", infinity, 1, 0},
      {"sigmoid", -1e3f, 0, 0},
      {"sigmoid", -infinity, 0, 0},
      {"sigmoid", 0, 0.5f, 0.25f},
      {"tanh", 1e3f, 1, 0},
      {"tanh", infinity, 1, 0},
      {"tanh", -1e3f, -1, 0},
      {"tanh", -infinity, -1, 0},
      {"tanh", 1e-40f, 1e-40f, 1},
      {"tanh", -1e-40f, -1e-40f, 1},
      {"relu", nan_value, nan_value, nan_value},
      {"relu", 0, 0, 0},
      {"relu", -0.0f, 0, 0},
      {"relu", infinity, infinity, 1},
      {"relu", -infinity, 0, 0},
      {"exp", 89, infinity, infinity},
      {"exp", infinity, infinity, infinity},
      {"exp", -105, 0, 0},
      {"exp", -infinity, 0, 0},
      {"exp", 0, 1, 1},
      {"exp", nan_value, nan_value, nan_value},
      {"expm1", 1e-40f, 1e-40f, 1},
      {"expm1", -infinity, -1, 0},
      {"log", 1, 0, 1},
      {"log", 0, -infinity, infinity},
      {"log", -1, nan_value, -1},
      {"log", infinity, infinity, 0},
      {"log", nan_value, nan_value, nan_value},
      {"log1p", 1e-40f, 1e-40f, 1},
      {"log1p", -1, -infinity, infinity},
      {"softplus", 1e3f, 1e3f, 1},
      {"softplus", -1e3f, 0, 0},
      {"softplus", infinity, infinity, 1},
      {"softplus", -infinity, 0, 0},
      {"softplus", nan_value, nan_value, nan_value},
      {"abs", 0, 0, 0},
      {"abs", nan_value, nan_value, nan_value},
      {"silu", infinity, infinity, 1},
      {"silu", -infinity, 0, 0},
      {"silu", 0, 0, 0.5f},
      {"silu", nan_value, nan_value, nan_value},
      {"sqrt", 0, 0, infinity},
      {"square", 0, 0, 0},
      {"clamp", -0.5f, -0.5f, 1},
      {"clamp", 1, 1, 1},
      {"clamp", infinity, 1, 0},
      {"erf", infinity, 1, 0},
      {"erf", -infinity, -1, 0},
      {"tanh", nan_value, nan_value, nan_value},
      {"sigmoid", nan_value, nan_value, nan_value},
  };
  for (const Edge& edge : edges) {
    const auto function = named(edge.name).function;
    const float value = value_of(function, edge.x);
    const float slope = slope_of(function, edge.x);
    BOOST_TEST(same(value, edge.value),
               edge.name << '(' << edge.x << ") = " << value << ", expected " << edge.value);
    BOOST_TEST(same(slope, edge.slope),
               edge.name << "'(" << edge.x << ") = " << slope << ", expected " << edge.slope);
  }
  BOOST_TEST(value_of(named("log").function, 1e-40f) == -92.1034f,
             boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(value_of(named("exp").function, 88.5f) == 2.7230886e38f,
             boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(value_of(named("exp").function, -104) <= std::numeric_limits<float>::denorm_min());
}

BOOST_AUTO_TEST_CASE(powers_at_the_edges) {
  const auto slopes = [](double x, double y) {
    rw::Tape tape;
    const Tensor a = tape.watch(rw::scalar(x));
    const Tensor b = tape.watch(rw::scalar(y));
    const auto d = tape.gradient(pow(a, b), {a, b});
    return std::pair(d[0].item(), d[1].item());
  };
  BOOST_TEST((slopes(0, 1) == std::pair(1.0, 0.0)));
  BOOST_TEST((slopes(0, 2) == std::pair(0.0, 0.0)));
  BOOST_TEST((slopes(0, 0) == std::pair(0.0, 0.0)));
  BOOST_TEST((slopes(0, 0.5) == std::pair(static_cast<double>(infinity), 0.0)));
  BOOST_TEST((slopes(-3, 2) == std::pair(-6.0, 0.0)));
  BOOST_TEST(pow(rw::scalar(0), 0).item() == 1);
  BOOST_TEST(pow(rw::scalar(0), -1).item() == infinity);
  BOOST_TEST(std::isnan(pow(rw::scalar(-2), 0.5).item()));
}

BOOST_AUTO_TEST_CASE(equal_operands_share_the_slope) {
  rw::Tape tape;
  const Tensor a = tape.watch(Tensor::from<float>({3}, {1, 2, -0.0f}));
  const Tensor b = tape.watch(Tensor::from<float>({3}, {1, 1, 0}));
  for (const Tensor& y : {maximum(a, b), minimum(a, -(-b))}) {
    const auto d = tape.gradient(sum(y), {a, b}, {.retain = true});
    BOOST_TEST((d[0] + d[1]).to_vector<float>() == Floats({1, 1, 1}),
               boost::test_tools::per_element());
    BOOST_TEST(d[0].to_vector<float>()[0] == 0.5f);
    BOOST_TEST(d[0].to_vector<float>()[2] == 0.5f);
  }
}

BOOST_AUTO_TEST_CASE(a_number_that_is_not_chosen_does_not_matter) {
  const Tensor condition = Tensor::from<float>({2}, {1, 0});
  const Tensor a = Tensor::from<float>({2}, {3, nan_value});
  rw::Tape tape;
  const Tensor x = tape.watch(a);
  const Tensor y = where(condition, x, 4.0);
  BOOST_TEST(y.to_vector<float>() == Floats({3, 4}), boost::test_tools::per_element());
  BOOST_TEST(tape.gradient(sum(y), {x})[0].to_vector<float>() == Floats({1, 0}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(broadcast_values) {
  const std::vector<std::pair<Shape, Shape>> shapes = {{{}, {3}},
                                                       {{3}, {}},
                                                       {{2, 3}, {3}},
                                                       {{3}, {2, 3}},
                                                       {{2, 1}, {1, 3}},
                                                       {{4, 1}, {17}},
                                                       {{1}, {2, 2}},
                                                       {{2, 3}, {2, 1}},
                                                       {{2, 1, 3}, {4, 1}},
                                                       {{5, 1, 2}, {1, 3, 1}},
                                                       {{1, 2, 1, 2, 3}, {2, 3, 1, 1}}};
  std::mt19937 engine(3);
  std::uniform_int_distribution<int> digit(1, 9);
  const auto random = [&](const Shape& shape) {
    Floats values(static_cast<std::size_t>(shape.elements()));
    for (float& v : values) {
      v = static_cast<float>(digit(engine));
    }
    return Tensor::from<float>(shape, values);
  };
  // The element of `x` at an index into the common shape.
  const auto element = [](const Tensor& x, const Shape& common, std::int64_t flat) {
    std::int64_t at = 0;
    std::int64_t step = 1;
    for (int axis = common.rank() - 1; axis >= 0; --axis) {
      const std::int64_t index = flat % common[axis];
      flat /= common[axis];
      const int own = axis - common.rank() + x.rank();
      if (own >= 0) {
        at += x.size(own) == 1 ? 0 : index * step;
        step *= x.size(own);
      }
    }
    return x.data<float>()[at];
  };
  for (const auto& [left, right] : shapes) {
    const Tensor a = random(left);
    const Tensor b = random(right);
    const Tensor y = a - 2.0 * b;
    const Shape common = rw::broadcast("test", left, right);
    BOOST_TEST((y.shape() == common), to_string(y.shape()));
    for (std::int64_t i = 0; i < common.elements(); ++i) {
      BOOST_TEST(y.data<float>()[i] == element(a, common, i) - 2 * element(b, common, i));
    }
  }
  BOOST_CHECK_THROW(random({2, 3}) + random({2}), rw::ShapeError);
}

BOOST_AUTO_TEST_CASE(rows_apart_in_and_out) {
  const std::int64_t rows = 3;
  for (const std::int64_t columns : lengths) {
    rw::Tape tape;
    const Tensor base = tape.watch(
        reshape(rw::arange(rows * (columns + 5)).to(DType::float32) * 0.01f, {rows, columns + 5}));
    const Tensor view = slice(base, 1, 2, 2 + columns);
    BOOST_TEST(view.row_stride() == columns + 5);
    const Tensor copy = tape.watch(view.clone());
    const Tensor of_view = tanh(view) * view;
    const Tensor of_copy = tanh(copy) * copy;
    BOOST_TEST(of_view.to_vector<float>() == of_copy.to_vector<float>(),
               boost::test_tools::per_element());
    // The gradient of the view goes to its columns of the base's gradient; the others stay 0.
    const Tensor d_base = tape.gradient(sum(of_view), {base}, {.retain = true})[0];
    const Tensor d_copy = tape.gradient(sum(of_copy), {copy})[0];
    BOOST_TEST(slice(d_base, 1, 2, 2 + columns).to_vector<float>() == d_copy.to_vector<float>(),
               boost::test_tools::per_element());
    BOOST_TEST(sum(abs(slice(d_base, 1, 0, 2))).item() +
                   sum(abs(slice(d_base, 1, 2 + columns, columns + 5))).item() ==
               0);
  }
}

BOOST_AUTO_TEST_CASE(rows_columns_and_numbers_of_every_length) {
  // a b + k s a, for a whole array, a row, a column and a number, compared with a loop in double.
  // Used twice, so that the second gradient is accumulated.
  const auto formula = [](auto a, auto b, auto k, auto s) { return a * b + k * s * a; };
  for (const std::int64_t rows : {1, 3, 40}) {
    for (const std::int64_t columns : {1, 5, 17, 128, 511, 512, 513, 1200}) {
      const float step = 1.0F / static_cast<float>(rows * columns);
      const Tensor a = ramp({rows, columns}, -0.5F, step);
      const Tensor b = ramp({columns}, 0.25F, 0.5F / static_cast<float>(columns));
      const Tensor k = ramp({rows, 1}, 0.75F, 0.125F);
      const Tensor w = ramp({rows, columns}, 1, -step);
      rw::Tape tape;
      const std::vector<Tensor> xs = {tape.watch(a), tape.watch(b), tape.watch(k),
                                      tape.watch(rw::scalar(1.5))};
      const auto y = [&] { return rw::fuse("formula", formula, xs[0], xs[1], xs[2], xs[3]); };
      const Tensor first = y();
      const auto d =
          tape.gradient(sum(w * first) + sum(2.0 * w * y()), {xs[0], xs[1], xs[2], xs[3]});
      std::vector<double> da, db(static_cast<std::size_t>(columns)), dk;
      double ds = 0;
      double largest_error = 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        dk.push_back(0);
        for (std::int64_t c = 0; c < columns; ++c) {
          const double x = a.data<float>()[r * columns + c];
          const double weight = 3.0 * w.data<float>()[r * columns + c];
          const double row = b.data<float>()[c];
          const double column = k.data<float>()[r];
          largest_error = std::max(largest_error, std::abs(x * row + column * 1.5 * x -
                                                           first.data<float>()[r * columns + c]));
          da.push_back(weight * (row + column * 1.5));
          db[static_cast<std::size_t>(c)] += weight * x;
          dk.back() += weight * 1.5 * x;
          ds += weight * column * x;
        }
      }
      const auto compare = [&](const Tensor& got, const std::vector<double>& expected) {
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const double error = std::abs(got.data<float>()[i] - expected[i]);
          largest_error = std::max(largest_error, error / (1 + std::abs(expected[i])));
        }
      };
      compare(d[0], da);
      compare(d[1], db);
      compare(d[2], dk);
      compare(d[3], {ds});
      BOOST_TEST(largest_error < 4e-6, rows << " rows of " << columns);
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_that_something_else_has_begun) {
  // Operations recorded later contribute first: to a whole gradient, to rows of it, to a tensor
  // that is also another gradient, to a gathered product. Contiguous tensors take a fast path.
  using Extra = std::function<Tensor(const Tensor&)>;
  const Tensor w = ramp({4, 3}, -0.5F, 0.1F);
  const std::vector<Extra> extras = {
      [](const Tensor& z) { return sum(exp(z)); },
      [](const Tensor& z) { return sum(sin(slice(z, 0, 1, 2))); },
      [](const Tensor& z) { return sum(sin(slice(z, 1, 0, 3))); },
      [](const Tensor& z) { return sum(rw::detail::alias("alias", z)); },
      [&](const Tensor& z) { return sum(matmul(z, w)); },
      [](const Tensor& z) { return sum(rw::reshape(z, {12}) * ramp({12}, -1, 0.25F)); },
  };
  for (const Extra& extra : extras) {
    const Tensor wide = ramp({3, 8}, -1, 0.07F);
    const auto gradient = [&](bool gaps) {
      rw::Tape tape;
      const Tensor base = tape.watch(gaps ? wide : slice(wide, 1, 2, 6).clone());
      const Tensor x = gaps ? slice(base, 1, 2, 6) : base;
      const Tensor z = x * 1.5;
      const Tensor loss = sum(z * z) + sum(x * z) + extra(z) + extra(x);
      const Tensor d = tape.gradient(loss, {base})[0];
      return gaps ? slice(d, 1, 2, 6) : d;
    };
    BOOST_TEST(gradient(false).to_vector<float>() == gradient(true).to_vector<float>(),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(nothing_in_nothing_out) {
  for (const Shape& shape : {Shape{0}, {3, 0}, {0, 3}, {2, 0, 4}}) {
    rw::Tape tape;
    const Tensor x = tape.watch(rw::zeros(shape));
    for (const Unary& operation : unary_operations) {
      const Tensor y = operation.function(x);
      BOOST_TEST((y.shape() == shape), operation.name);
      const Tensor d = tape.gradient(sum(y), {x}, {.retain = true})[0];
      BOOST_TEST((d.shape() == shape), operation.name);
    }
    for (const Binary& operation : binary_operations) {
      BOOST_TEST((operation.function(x, rw::ones({1})).shape() == shape), operation.name);
    }
  }
}
