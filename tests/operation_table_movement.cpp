#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"
#include "support/nonlinear_row.hpp"

// Operations that move and copy elements.

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;

void add_order_rows(Table& table) {
  NonlinearRow("permute")
      .add({3}, [](const Tensor& x) { return permute(x, {0}); })
      .add({2, 3},
           [](const Tensor& x) {
             return permute(x, {1, 0});
           })
      .add({2, 3},
           [](const Tensor& x) {
             return permute(x, {0, 1});
           })
      .add({2, 3, 4},
           [](const Tensor& x) {
             return permute(x, {1, 0, 2});
           })
      .add({2, 3, 4},
           [](const Tensor& x) {
             return permute(x, {2, 0, 1});
           })
      .add({2, 3, 4},
           [](const Tensor& x) {
             return permute(x, {1, 2, 0});
           })
      .add({2, 1, 4},
           [](const Tensor& x) {
             return permute(x, {1, 0, 2});
           })
      .add({2, 3, 1, 2},
           [](const Tensor& x) {
             return permute(x, {3, 1, 0, 2});
           })
      .add({1, 2, 3, 1, 2},
           [](const Tensor& x) {
             return permute(x, {4, 2, 3, 0, 1});
           })
      .add({2, 0, 3},
           [](const Tensor& x) {
             return permute(x, {2, 0, 1});
           })
      .add_slices([](const Tensor& x) {
        return permute(x, {1, 0});
      })
      .into(table);
  NonlinearRow("transpose")
      .add({2, 3}, [](const Tensor& x) { return transpose(x, 0, 1); })
      .add({1, 3}, [](const Tensor& x) { return transpose(x, 0, 1); })
      .add({3, 1}, [](const Tensor& x) { return transpose(x, -1, 0); })
      .add({3, 3}, [](const Tensor& x) { return transpose(x, 0, 1) * x; })
      .add({2, 3, 4}, [](const Tensor& x) { return transpose(x, 0, 1); })
      .add({2, 3, 4}, [](const Tensor& x) { return transpose(x, 0, 2); })
      .add({2, 3, 4}, [](const Tensor& x) { return transpose(x, 1, 2); })
      .add({2, 3, 4}, [](const Tensor& x) { return transpose(x, 1, 1); })
      .add({2, 1, 2, 3}, [](const Tensor& x) { return transpose(x, 1, 3); })
      .add({0, 3}, [](const Tensor& x) { return transpose(x, 0, 1); })
      .add_slices([](const Tensor& x) { return transpose(x, 0, 1); })
      .into(table);
  NonlinearRow flips("flip");
  flips.add({}, [](const Tensor& x) { return flip(x); });
  for (const Shape& shape : {Shape{1}, {4}, {0}, {2, 3}, {3, 1}, {2, 3, 2}, {2, 1, 2, 2}}) {
    flips.add(shape, [](const Tensor& x) { return flip(x); });
    flips.add(shape, [](const Tensor& x) { return flip(x, {0}) * x; });
  }
  flips.add({2, 3, 2}, [](const Tensor& x) { return flip(x, {1}); })
      .add({2, 3, 2},
           [](const Tensor& x) {
             return flip(x, {0, -1});
           })
      .add_slices([](const Tensor& x) { return flip(x, {1}); })
      .into(table);
  NonlinearRow rolls("roll");
  for (const Shape& shape : {Shape{4}, {1}, {0}, {3, 2}, {2, 0}, {2, 3, 2}, {2, 1, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      rolls.add(shape, [=](const Tensor& x) { return roll(x, 1, axis); });
      rolls.add(shape, [=](const Tensor& x) { return roll(x, -5, axis) * x; });
    }
  }
  rolls.add_slices([](const Tensor& x) { return roll(x, 1, 1); })
      .add_slices([](const Tensor& x) { return roll(x, 2, 0); })
      .into(table);
  NonlinearRow sums("cumsum");
  for (const Shape& shape : {Shape{4}, {1}, {0}, {3, 2}, {2, 0}, {2, 3, 2}, {2, 1, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      sums.add(shape, [=](const Tensor& x) { return cumsum(x, axis); });
      sums.add(shape, [=](const Tensor& x) { return cumsum(x, axis, true) * x; });
    }
  }
  sums.add_slices([](const Tensor& x) { return cumsum(x, 1); }).into(table);
}

void add_joining_rows(Table& table) {
  NonlinearRow joins("concat");
  const auto joined = [](int axis) {
    return [axis](Inputs x) { return concat(std::span<const Tensor>(x), axis); };
  };
  joins.add(std::vector<Shape>{{3}}, joined(0))
      .add({{2}, {3}}, joined(0))
      .add({{2, 2}, {1, 2}, {3, 2}}, joined(0))
      .add({{2, 2}, {2, 1}, {2, 3}}, joined(1))
      .add({{2, 2}, {2, 0}}, joined(-1))
      .add({{0, 2}, {0, 2}}, joined(0))
      .add({{2, 1, 2}, {2, 3, 2}}, joined(1))
      .add({{1, 2, 2}, {2, 2, 2}}, joined(0))
      .add({{1, 2, 1}, {1, 2, 2}}, joined(2))
      .add({{2, 1, 1, 2}, {2, 1, 2, 2}}, joined(2))
      .add({{2, 4}, {2, 4}},
           [](Inputs x) {
             return concat({slice(x[0], 1, 1, 3), slice(x[1], 1, 0, 3), slice(x[0], 1, 2, 4)}, 1);
           })
      .add({{2, 4}, {2, 4}},
           [](Inputs x) {
             return concat({slice(x[0], 1, 1, 3), slice(x[1], 1, 2, 4)}, 0);
           })
      .add({2, 2},
           [](const Tensor& x) {
             return concat({x, x * x, x}, 0);
           })
      .into(table);
  NonlinearRow stacks("stack");
  const auto stacked = [](int axis) {
    return [axis](Inputs x) { return stack(std::span<const Tensor>(x), axis); };
  };
  stacks.add(std::vector<Shape>{{}, {}}, stacked(0))
      .add(std::vector<Shape>{{3}}, stacked(0))
      .add({{3}, {3}}, stacked(0))
      .add({{3}, {3}}, stacked(1))
      .add({{2, 2}, {2, 2}, {2, 2}}, stacked(0))
      .add({{2, 2}, {2, 2}, {2, 2}}, stacked(1))
      .add({{2, 2}, {2, 2}}, stacked(-1))
      .add({{0, 2}, {0, 2}}, stacked(1))
      .add({{2, 1, 2}, {2, 1, 2}}, stacked(2))
      .add({{2, 1, 2, 1}, {2, 1, 2, 1}}, stacked(3))
      .add({{2, 4}, {2, 4}},
           [](Inputs x) {
             return stack({slice(x[0], 1, 1, 3), slice(x[1], 1, 0, 2), slice(x[0], 1, 2, 4)}, 0);
           })
      .add({2, 2},
           [](const Tensor& x) {
             return stack({x, x * x, x}, 1);
           })
      .into(table);
  NonlinearRow pads("pad");
  for (const Shape& shape : {Shape{3}, {1}, {0}, {2, 3}, {2, 2, 2}, {2, 1, 2, 1}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      pads.add(shape, [=](const Tensor& x) { return pad(x, axis, 1, 2, 0.5); });
    }
  }
  pads.add({2, 3}, [](const Tensor& x) { return pad(x, -1, 0, 0); })
      .add_slices([](const Tensor& x) { return pad(x, 0, 2, 0); })
      .into(table);
}

void add_stretching_rows(Table& table) {
  NonlinearRow stretches("expand");
  NonlinearRow sums("sum_to");
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},
      {{}, {3}},
      {{}, {2, 2}},
      {{1}, {3}},
      {{3}, {2, 3}},
      {{2, 1}, {2, 3}},
      {{1, 3}, {2, 3}},
      {{2, 1, 2}, {2, 3, 2}},
      {{1, 1}, {2, 3}},
      {{2, 1}, {3, 2, 2}},
      {{1}, {0}},
      {{2, 3}, {2, 3}},
      {{1, 2, 1}, {2, 2, 2, 2}},
      {{0}, {2, 0}},
  };
  for (const auto& [small, large] : shapes) {
    stretches.add(small, [to = large](const Tensor& x) { return expand(x, to); });
    sums.add(large, [to = small](const Tensor& x) { return sum_to(x, to); });
  }
  stretches.add_slices([](const Tensor& x) { return expand(x, {2, 3, 4}); }).into(table);
  sums.add_slices([](const Tensor& x) { return sum_to(x, {4}); }).into(table);
}

}  // namespace

void add_movement_rows(Table& table) {
  add_order_rows(table);
  add_joining_rows(table);
  add_stretching_rows(table);
}

}  // namespace rw::testing
