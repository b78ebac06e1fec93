#include <algorithm>
#include <limits>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;

Operation& row_of(Table& table, const char* name) {
  return *std::find_if(table.begin(), table.end(),
                       [&](const Operation& row) { return row.name == name; });
}

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Values at zeros, far out and at infinity too, wherever finite differences work: where both
/// derivatives exist, and the result is not so large that the other elements' differences are lost
/// in the sum. Equal operands and other cases are in special_values_test.cpp.
Operation unary(const char* name, const UnaryFunction& f, const Draw& draw,
                const std::vector<double>& special = {}) {
  Operation row{name, unary_samples(f, draw)};
  row.samples.push_back(
      {[f](Inputs x) { return f(x[0]); },
       {Tensor::from<double>({static_cast<std::int64_t>(special.size())}, special)}});
  return row;
}

/// A unary operation with the same name as its function.
#define UNARY(function, draw, ...) \
  unary(                           \
      #function, [](const Tensor& x) { return function(x); }, draw, __VA_ARGS__)

void add_unary_rows(Table& table) {
  const std::vector<double> zeros = {0, -0.0, 1e-300, -1e-300};
  const std::vector<double> to_minus_infinity = {0, -0.0, 1e-300, -17, -40, -750, -1e30, -infinity};
  std::vector<double> everywhere = to_minus_infinity;
  everywhere.insert(everywhere.end(), {9, 17, 40, 750, 1e30, infinity});
  table.insert(table.end(),
               {
                   UNARY(exp, uniform(-2, 2), to_minus_infinity),
                   UNARY(expm1, uniform(-2, 2), to_minus_infinity),
                   UNARY(log, positive(), {1, 1e30, 1e300}),
                   UNARY(log1p, uniform(-0.6, 2), {0, -0.0, 1e-300, 1e30, 1e300}),
                   UNARY(sqrt, positive(), {1, 4}),
                   UNARY(abs, nonzero(), {1, -1}),
                   UNARY(sign, nonzero(), {1e30, infinity, -infinity}),
                   UNARY(square, uniform(-2, 2), zeros),
                   UNARY(sin, uniform(-3, 3), zeros),
                   UNARY(cos, uniform(-3, 3), zeros),
                   UNARY(atan, uniform(-3, 3), everywhere),
                   UNARY(tanh, uniform(-2, 2), everywhere),
                   UNARY(sigmoid, uniform(-3, 3), everywhere),
                   UNARY(softplus, uniform(-3, 3), to_minus_infinity),
                   UNARY(relu, nonzero(), {-1, -1e30, -infinity}),
                   UNARY(erf, uniform(-2, 2), everywhere),
                   UNARY(erfc, uniform(-2, 2), everywhere),
                   UNARY(gelu, uniform(-2, 2), to_minus_infinity),
                   UNARY(silu, uniform(-3, 3), to_minus_infinity),
                   UNARY(floor, spread(0.07), {0.5, -0.5, 1e3 + 0.5}),
                   UNARY(round, spread(0.07), {0, 2, -0.25, 1e3}),
                   UNARY(isfinite, uniform(-2, 2), {0, 1e300, infinity, -infinity}),
                   {"neg", unary_samples([](const Tensor& x) { return -x; }, uniform(-2, 2))},
                   {"leaky_relu",
                    unary_samples([](const Tensor& x) { return leaky_relu(x, 0.2); }, nonzero())},
                   unary("elu", [](const Tensor& x) { return elu(x, 1.3); }, nonzero(),
                         {-17, -40, -750, -1e30, -infinity}),
                   unary("clamp", [](const Tensor& x) { return clamp(x, -0.1, 1.05); }, spread(),
                         {0, 1e30, -1e30, infinity, -infinity}),
               });
}
#undef UNARY

/// `f` with a number on either side too.
template <class Function>
Operation with_numbers(const char* name, Function f, const Draw& left, const Draw& right,
                       double number) {
  Values values(31);
  std::vector<Sample> samples = binary_samples(f, left, right);
  samples.push_back({[=](Inputs x) { return f(x[0], number); }, {left(values, {2, 3})}});
  samples.push_back({[=](Inputs x) { return f(number, x[0]); }, {right(values, {3, 1})}});
  return {name, std::move(samples)};
}

void add_binary_rows(Table& table) {
  const auto any = uniform(-2, 2);
  table.push_back(with_numbers(
      "add", [](const auto& a, const auto& b) { return a + b; }, any, any, 1.7));
  table.push_back(with_numbers(
      "sub", [](const auto& a, const auto& b) { return a - b; }, any, any, 1.7));
  table.push_back(with_numbers(
      "mul", [](const auto& a, const auto& b) { return a * b; }, any, any, -1.7));
  table.push_back(with_numbers(
      "div", [](const auto& a, const auto& b) { return a / b; }, any, nonzero(), -1.7));
  table.push_back(with_numbers(
      "pow", [](const auto& a, const auto& b) { return pow(a, b); }, positive(), any, 1.7));
  table.push_back(with_numbers(
      "maximum", [](const auto& a, const auto& b) { return maximum(a, b); }, spread(0.05), spread(),
      0.13));
  table.push_back(with_numbers(
      "minimum", [](const auto& a, const auto& b) { return minimum(a, b); }, spread(0.05), spread(),
      0.13));
  // The value that is not chosen may be infinite, and so may a divisor.
  const Tensor finite = Tensor::from<double>({3}, {2, -1, 0.5});
  const auto and_infinite = [&](const char* name, const BinaryFunction& f,
                                const std::vector<double>& b) {
    row_of(table, name)
        .samples.push_back(
            {[f](Inputs x) { return f(x[0], x[1]); }, {finite, Tensor::from<double>({3}, b)}});
  };
  and_infinite("maximum", [](const Tensor& a, const Tensor& b) { return maximum(a, b); },
               {-infinity, -1e300, 3});
  and_infinite("minimum", [](const Tensor& a, const Tensor& b) { return minimum(a, b); },
               {infinity, 1e300, -3});
  and_infinite("div", [](const Tensor& a, const Tensor& b) { return a / b; },
               {infinity, -infinity, 1e300});
  // Constant almost everywhere; in the product, the gradient flows through the other factor.
  table.push_back(with_numbers(
      "less", [](const auto& a, const auto& b) { return (a < b) * (a + b); }, spread(0.05),
      spread(), 0.13));
  table.push_back(with_numbers(
      "less_equal", [](const auto& a, const auto& b) { return (a >= b) * (a + b); }, spread(0.05),
      spread(), 0.13));
  table.push_back(with_numbers(
      "equal", [](const auto& a, const auto& b) { return equal(a, b) + a * b; }, spread(0.05),
      spread(), 0.13));
  table.push_back(with_numbers(
      "not_equal", [](const auto& a, const auto& b) { return not_equal(a, b) * a * b; },
      spread(0.05), spread(), 0.13));
  // Integer powers of numbers of either sign, by a number and by a constant tensor.
  Operation& power = row_of(table, "pow");
  Values values(37);
  for (const double exponent : {-2.0, -1.0, 0.0, 1.0, 2.0, 3.0}) {
    power.samples.push_back(
        {[=](Inputs x) { return pow(x[0], exponent); }, {values.nonzero({2, 3})}});
  }
  // x^0 is constant in x, but its derivative with respect to x is not constant in y.
  power.samples.push_back({[](Inputs x) { return pow(x[0], x[1]); },
                           {Tensor::from<double>({2, 2}, {2, 0.5, 1, 3}),
                            Tensor::from<double>({2, 2}, {0, 0, 0, -0.0})}});
  power.samples.push_back({[](Inputs x) {
                             return pow(x[0], Tensor::from<double>({2}, {2.0, 3.0}));
                           },
                           {Tensor::from<double>({3, 2}, {0.0, 0.0, -1.2, -0.7, 0.8, 1.4})}});
}

void add_choice_rows(Table& table) {
  Values values(41);
  Operation choose{"where", {}};
  const std::vector<std::vector<Shape>> shapes = {
      {{}, {}, {}},          {{4}, {4}, {4}},
      {{2, 3}, {3}, {2, 1}}, {{3}, {2, 3}, {}},
      {{2, 1}, {1, 3}, {1}}, {{}, {2, 2}, {2, 2}},
      {{2, 2}, {}, {}},      {{0}, {1}, {0}},
      {{2, 0}, {0}, {1, 1}}, {{2, 1, 2}, {3, 1}, {2}},
      {{17}, {17}, {1}},     {{1, 2, 1, 2}, {2}, {2, 1, 1, 1, 2}},
  };
  for (const std::vector<Shape>& s : shapes) {
    choose.samples.push_back(
        {[](Inputs x) { return where(x[0] > 0.05, x[1], x[2]); },
         {values.spread(s[0]), values.uniform(s[1], -2, 2), values.uniform(s[2], -2, 2)}});
  }
  choose.samples.push_back({[](Inputs x) {
                              return where(slice(x[0], 1, 1, 3) < 0.05, slice(x[1], 1, 0, 2),
                                           slice(x[1], 1, 2, 4));
                            },
                            {values.spread({3, 4}), values.uniform({3, 4}, -2, 2)}});
  choose.samples.push_back(
      {[](Inputs x) { return where(x[0] > 0.05, x[0], 1.5); }, {values.spread({2, 4})}});
  constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
  choose.samples.push_back({[](Inputs x) {
                              return where(Tensor::from<double>({4}, {1, 0, 1, 0}), x[0], x[1]);
                            },
                            {Tensor::from<double>({4}, {1, nan_value, 0, infinity}),
                             Tensor::from<double>({4}, {infinity, 2, nan_value, -0.0})}});
  table.push_back(std::move(choose));

  Operation& bounded = row_of(table, "clamp");
  bounded.samples.push_back(
      {[](Inputs x) { return clamp(x[0], x[1], x[2]); },
       {values.spread({3, 4}), Tensor::from<double>({4}, {-0.5, -0.3, -0.7, -0.1}),
        Tensor::from<double>({3, 1}, {0.5, 0.7, 0.3})}});
  bounded.samples.push_back({[](Inputs x) { return clamp(0.1, x[0], x[1]); },
                             {values.uniform({3}, -1, 0), values.uniform({2, 1}, 0.2, 1)}});
}

}  // namespace

void add_pointwise_rows(Table& table) {
  add_unary_rows(table);
  add_binary_rows(table);
  add_choice_rows(table);
}

}  // namespace rw::testing
