#include <algorithm>
#include <limits>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/standardize.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;
/// A reduction, called with axes and whether to keep them.
using Reduction = std::function<Tensor(const Tensor&, Axes, bool)>;

/// Shapes with the axes to reduce over. Those that reduce no elements come last.
Operation reduction(const char* name, const Draw& draw, bool of_nothing, const Reduction& f) {
  Values values(89);
  Operation row{name, {}};
  const auto add = [&](const Shape& shape, Axes axes) {
    const std::vector<int> list(axes);
    for (const bool keep : {false, true}) {
      row.samples.push_back({[=](Inputs x) {
                               const auto call = [&](Axes over) {
                                 return sin(f(x[0], over, keep));
                               };
                               return list.empty()       ? call({})
                                      : list.size() == 1 ? call({list[0]})
                                                         : call({list[0], list[1]});
                             },
                             {draw(values, shape)}});
    }
  };
  add({3}, {});
  add({4}, {0});
  add({17}, {-1});
  add({2, 3}, {});
  add({2, 3}, {0});
  add({2, 3}, {1});
  add({3, 2}, {0, 1});
  add({2, 3, 2}, {0});
  add({2, 3, 2}, {1});
  add({2, 3, 2}, {-1});
  add({2, 3, 2}, {0, 2});
  add({2, 3, 2}, {1, 2});
  add({2, 3, 2}, {0, 1});
  add({2, 1, 3, 2}, {1, 3});
  add({2, 2, 1, 2, 2}, {0, 3});
  add({0, 2}, {1});
  if (of_nothing) {
    add({2, 0}, {1});
    add({0, 2}, {0});
  }
  row.samples.push_back(
      {[f](Inputs x) { return f(slice(x[0], 1, 1, 4), {1}, false); }, {draw(values, {3, 5})}});
  row.samples.push_back(
      {[f](Inputs x) { return f(slice(x[0], 1, 1, 4), {0}, false); }, {draw(values, {3, 5})}});
  row.samples.push_back(
      {[f](Inputs x) { return x[0] * x[0] - f(x[0], {0}, true) * x[0]; }, {draw(values, {3, 2})}});
  row.samples.push_back({[f](Inputs x) {
                           return f(slice(x[0], 1, 0, 3), {0}, false) *
                                  f(slice(x[0], 1, 2, 5), {0}, true);
                         },
                         {draw(values, {2, 5})}});
  return row;
}

/// softmax and similar operations.
Operation along_axis(const char* name, const std::function<Tensor(const Tensor&, int)>& f) {
  Values values(97);
  const Draw draw = uniform(-2, 2);
  Operation row{name, {}};
  for (const Shape& shape : {Shape{4},
                             {1},
                             {2, 3},
                             {3, 1},
                             {2, 0},
                             {0, 3},
                             {2, 3, 2},
                             {1, 2, 17},
                             {2, 1, 2, 2},
                             {1, 2, 1, 2, 2}}) {
    for (int axis = -shape.rank(); axis < 0; ++axis) {
      row.samples.push_back({[=](Inputs x) { return f(x[0], axis); }, {draw(values, shape)}});
    }
  }
  row.samples.push_back(
      {[=](Inputs x) { return f(slice(x[0], 1, 1, 4), 1); }, {draw(values, {2, 5})}});
  row.samples.push_back(
      {[=](Inputs x) { return f(slice(x[0], 1, 1, 4), 0); }, {draw(values, {2, 5})}});
  row.samples.push_back({[=](Inputs x) { return f(x[0], 1) * x[0]; }, {draw(values, {2, 3})}});
  row.samples.push_back(
      {[=](Inputs x) { return f(slice(x[0], 1, 0, 3), 1) * f(slice(x[0], 1, 2, 5), 0); },
       {draw(values, {2, 5})}});
  return row;
}

constexpr double inf = std::numeric_limits<double>::infinity();

/// Elements that are equal, tiny, or infinite while the result is finite. An infinite input keeps
/// its value when it is moved, so its derivative is 0.
void add_special_reductions(Table& table) {
  const auto add = [&](const char* name, const UnaryFunction& f,
                       const std::vector<Tensor>& arguments) {
    Operation& row = *std::find_if(table.begin(), table.end(),
                                   [&](const Operation& each) { return each.name == name; });
    for (const Tensor& x : arguments) {
      row.samples.push_back({[f](Inputs in) { return f(in[0]); }, {x}});
      row.samples.push_back(
          {[f](Inputs in) { return f(transpose(in[0], 0, 1)); }, {transpose(x, 0, 1).clone()}});
    }
  };
  const Tensor equal_rows = Tensor::from<double>({3, 2}, {0, 0, 0.7, 0.7, -1e-300, 1e-300});
  const Tensor low = Tensor::from<double>({3, 3}, {-inf, 1, 0, -inf, -inf, 0.5, 0.2, -1e300, 1});
  const Tensor lowest = full({2, 3}, -inf, DType::float64);
  add("sum", [](const Tensor& x) { return sin(sum(x, {1})); }, {equal_rows});
  add("mean", [](const Tensor& x) { return sin(mean(x, {1})); }, {equal_rows});
  add("var", [](const Tensor& x) { return sin(var(x, {1})); }, {equal_rows});
  add("var", [](const Tensor& x) { return sin(var(x, {1}, false, 0)); },
      {slice(equal_rows, 1, 0, 1).clone()});
  // One zero, two zeros, and a row of zeros.
  add("prod", [](const Tensor& x) { return sin(prod(x, {1})); },
      {Tensor::from<double>(
          {4, 5}, {0.5, -1.2, 0, 0.7, 1.1, 0, 2, 0, -1, 0.3, 0, 0, 0, 0, 0, 3, 2, 0.5, -2, 0.1})});
  // Equal elements that stay equal when one is moved.
  add("max",
      [](const Tensor& x) {
        return exp(max(concat({x, x, -abs(x), x}, 1), {1}));
      },
      {low, lowest});
  add("min",
      [](const Tensor& x) {
        return exp(-min(concat({-x, abs(x), -x}, 1), {1}));
      },
      {slice(low, 0, 0, 2).clone()});
  add("logsumexp", [](const Tensor& x) { return exp(logsumexp(x, {1})); },
      {equal_rows, low, lowest});
  const Tensor apart = Tensor::from<double>({3, 3}, {1e300, 0, -1e300, 1, -inf, 1, 0, 0, 0});
  add("softmax", [](const Tensor& x) { return softmax(x); }, {equal_rows, low, apart});
  add("log_softmax", [](const Tensor& x) { return exp(log_softmax(x)); }, {equal_rows, low, apart});
  add("log_softmax", [](const Tensor& x) { return slice(log_softmax(x), 1, 2, 3); }, {low});
  add("standardize", [](const Tensor& x) { return standardize(x, 0.3); },
      {equal_rows, Tensor::from<double>({2, 3}, {1e200, -1e200, 0, 1e300, 1e300, 0})});
}

}  // namespace

void add_reduction_rows(Table& table) {
  const Draw any = uniform(-1, 1);
  table.push_back(reduction(
      "sum", any, true, [](const Tensor& x, Axes axes, bool keep) { return sum(x, axes, keep); }));
  table.push_back(reduction("mean", any, false, [](const Tensor& x, Axes axes, bool keep) {
    return mean(x, axes, keep);
  }));
  table.push_back(reduction("max", spread(), false, [](const Tensor& x, Axes axes, bool keep) {
    return max(x, axes, keep);
  }));
  table.push_back(reduction("min", spread(), false, [](const Tensor& x, Axes axes, bool keep) {
    return min(x, axes, keep);
  }));
  table.push_back(reduction("var", any, false, [](const Tensor& x, Axes axes, bool keep) {
    return var(x, axes, keep, 0.5);
  }));
  table.push_back(reduction("stddev", spread(), false, [](const Tensor& x, Axes axes, bool keep) {
    return stddev(x, axes, keep, 0.5);
  }));
  table.push_back(reduction("prod", any, true, [](const Tensor& x, Axes axes, bool keep) {
    return prod(x, axes, keep);
  }));
  Operation norms = reduction("norm", nonzero(), true, [](const Tensor& x, Axes axes, bool keep) {
    return norm(x, axes, keep);
  });
  for (const double p : {1.0, 1.5, 3.0, inf}) {
    const Operation others =
        reduction("norm", spread(0.07), true,
                  [p](const Tensor& x, Axes axes, bool keep) { return norm(x, axes, keep, p); });
    norms.samples.insert(norms.samples.end(), others.samples.begin(), others.samples.end());
  }
  table.push_back(std::move(norms));
  // The exponential of it, because it is -infinity over no elements.
  table.push_back(reduction("logsumexp", any, true, [](const Tensor& x, Axes axes, bool keep) {
    return exp(logsumexp(x, axes, keep));
  }));
  table.push_back(
      along_axis("softmax", [](const Tensor& x, int axis) { return softmax(x, axis); }));
  table.push_back(
      along_axis("log_softmax", [](const Tensor& x, int axis) { return log_softmax(x, axis); }));
  // The large epsilon keeps the gradient moderate if a row's values happen to be close together.
  table.push_back(along_axis("standardize", [](const Tensor& x, int axis) {
    return transpose(standardize(transpose(x, axis, -1), 0.3), axis, -1);
  }));
  add_special_reductions(table);
}

}  // namespace rw::testing
