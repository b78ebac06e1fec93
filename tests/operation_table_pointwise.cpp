#include <algorithm>

#include <rewind/autograd/math.hpp>
#include <rewind/autograd/views.hpp>

#include "operation_table.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;

Operation& row_of(Table& table, const char* name) {
  return *std::find_if(table.begin(), table.end(),
                       [&](const Operation& row) { return row.name == name; });
}

/// A unary operation that goes by the same name as its function.
#define UNARY(function, draw)                                                   \
  Operation {                                                                   \
#function, unary_samples([](const Tensor& x) { return function(x); }, draw) \
  }

void add_unary_rows(Table& table) {
  table.insert(
      table.end(),
      {
          UNARY(exp, uniform(-2, 2)),
          UNARY(expm1, uniform(-2, 2)),
          UNARY(log, positive()),
          UNARY(log1p, uniform(-0.6, 2)),
          UNARY(sqrt, positive()),
          UNARY(abs, nonzero()),
          UNARY(sign, nonzero()),
          UNARY(square, uniform(-2, 2)),
          UNARY(sin, uniform(-3, 3)),
          UNARY(cos, uniform(-3, 3)),
          UNARY(tanh, uniform(-2, 2)),
          UNARY(sigmoid, uniform(-3, 3)),
          UNARY(softplus, uniform(-3, 3)),
          UNARY(relu, nonzero()),
          UNARY(erf, uniform(-2, 2)),
          UNARY(gelu, uniform(-2, 2)),
          {"neg", unary_samples([](const Tensor& x) { return -x; }, uniform(-2, 2))},
          {"leaky_relu",
           unary_samples([](const Tensor& x) { return leaky_relu(x, 0.2); }, nonzero())},
          {"elu", unary_samples([](const Tensor& x) { return elu(x, 1.3); }, nonzero())},
          {"clamp", unary_samples([](const Tensor& x) { return clamp(x, -0.1, 1.05); }, spread())},
      });
}
#undef UNARY

/// `f` with a number on either side, too.
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
  // Constant almost everywhere; the product has a gradient through its other factor.
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
