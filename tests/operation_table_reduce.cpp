#include <rewind/autograd/math.hpp>
#include <rewind/autograd/movement.hpp>
#include <rewind/autograd/reduce.hpp>
#include <rewind/autograd/softmax.hpp>
#include <rewind/autograd/standardize.hpp>
#include <rewind/autograd/views.hpp>

#include "operation_table.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;
/// A reduction, called with axes and whether to keep them.
using Reduction = std::function<Tensor(const Tensor&, Axes, bool)>;

/// Shapes with the axes to reduce over. Those that reduce no elements to something come last.
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

/// softmax and its like.
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
  // e^ of it, because over no elements it is -infinity.
  table.push_back(reduction("logsumexp", any, true, [](const Tensor& x, Axes axes, bool keep) {
    return exp(logsumexp(x, axes, keep));
  }));
  table.push_back(
      along_axis("softmax", [](const Tensor& x, int axis) { return softmax(x, axis); }));
  table.push_back(
      along_axis("log_softmax", [](const Tensor& x, int axis) { return log_softmax(x, axis); }));
  // The large epsilon keeps the slope moderate where a row's values happen to lie close together.
  table.push_back(along_axis("standardize", [](const Tensor& x, int axis) {
    return transpose(standardize(transpose(x, axis, -1), 0.3), axis, -1);
  }));
}

}  // namespace rw::testing
