#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"
#include "support/nonlinear_row.hpp"

// Operations that choose and reshape, without a copy if the layout allows it.

namespace rw::testing {
namespace {

void add_slice_rows(Table& table) {
  NonlinearRow slices("slice");
  for (const Shape& shape : {Shape{5}, {4, 5}, {2, 5, 3}, {2, 1, 5}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const std::int64_t n = shape[axis];
      slices.add(shape, [=](const Tensor& x) { return slice(x, axis, n / 2, n); });
      slices.add(shape, [=](const Tensor& x) { return slice(x, axis, 0, n / 2); });
    }
  }
  slices.add({3, 6}, [](const Tensor& x) { return slice(slice(x, 1, 1, 5), 1, 1, 3); })
      .add({4, 6}, [](const Tensor& x) { return slice(slice(x, 1, 1, 5), 0, 1, 3); })
      .add({3, 6},
           [](const Tensor& x) { return slice(x, 1, 0, 4) * slice(x, 1, 2, 6) * x.size(0); })
      .add({3, 6},
           [](const Tensor& x) {
             return slice(slice(x, 1, 0, 4), 1, 1, 3) + slice(x, 1, 4, 6) + slice(x * x, 1, 0, 2);
           })
      .into(table);

  NonlinearRow clones("clone");
  for (const Shape& shape : {Shape{}, {3}, {2, 3}, {1, 4}, {0, 3}, {2, 3, 2}, {2, 1, 2, 2}}) {
    clones.add(shape, [](const Tensor& x) { return x.clone(); });
    clones.add(shape, [](const Tensor& x) { return x.clone() * x; });
  }
  clones.add_slices([](const Tensor& x) { return x.clone(); }).into(table);

  NonlinearRow selects("select");
  for (const Shape& shape : {Shape{3}, {3, 4}, {2, 3, 2}, {2, 1, 2, 2}, {1, 2, 1, 2, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      selects.add(shape, [=](const Tensor& x) { return select(x, axis, -1) * select(x, axis, 0); });
    }
  }
  selects.add_slices([](const Tensor& x) { return select(x, 0, 1); }).into(table);

  NonlinearRow parts("operator[]");
  for (const Shape& shape :
       {Shape{3}, {1}, {3, 4}, {2, 0}, {2, 3, 2}, {2, 1, 2, 2}, {1, 2, 1, 2, 2}}) {
    parts.add(shape, [](const Tensor& x) { return x[-1] * x[0]; });
  }
  parts.add({2, 3}, [](const Tensor& x) { return x[1][-1] * x[0][0]; })
      .add({2, 3, 2}, [](const Tensor& x) { return x[0][1] + x[1][2] * x[0][0]; })
      .add_slices([](const Tensor& x) { return x[1]; })
      .into(table);

  NonlinearRow splits("split");
  for (const Shape& shape :
       {Shape{4}, {4, 2}, {2, 4}, {4, 2, 2}, {2, 4, 3}, {2, 2, 4}, {0, 4}, {4, 0}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 4) {
        splits.add(shape, [=](const Tensor& x) {
          const TensorList parts = split(x, 4, axis);
          return parts[0] * parts[3] + 0.5 * parts[1];
        });
      }
    }
  }
  splits
      .add({2, 6},
           [](const Tensor& x) {
             const auto [a, b, c] = split<3>(x);
             return a * b + c;
           })
      .add_slices([](const Tensor& x) { return split(x, 2)[1]; })
      .into(table);
}

void add_shape_rows(Table& table) {
  NonlinearRow("reshape")
      .add({6},
           [](const Tensor& x) {
             return reshape(x, {2, 3});
           })
      .add({2, 3}, [](const Tensor& x) { return reshape(x, {6}); })
      .add({},
           [](const Tensor& x) {
             return reshape(x, {1, 1});
           })
      .add({1}, [](const Tensor& x) { return reshape(x, {}); })
      .add({2, 6},
           [](const Tensor& x) {
             return reshape(x, {-1, 3});
           })
      .add({4, 6},
           [](const Tensor& x) {
             return reshape(slice(x, 1, 1, 4), {2, -1, 3});
           })
      .add({2, 3, 2},
           [](const Tensor& x) {
             return reshape(x, {6, 2});
           })
      .add({6, 2},
           [](const Tensor& x) {
             return reshape(x, {2, 3, 2});
           })
      .add({2, 3, 2},
           [](const Tensor& x) {
             return reshape(x, {4, 3});
           })
      .add({0, 3},
           [](const Tensor& x) {
             return reshape(x, {3, 0, 2});
           })
      .add({4, 6},
           [](const Tensor& x) {
             return reshape(slice(x, 1, 1, 4), {2, 2, 3});
           })
      .add({4, 6},
           [](const Tensor& x) {
             return slice(reshape(slice(x, 0, 1, 3), {3, 4}), 1, 1, 3);
           })
      .add({1, 2, 1, 2, 1},
           [](const Tensor& x) {
             return reshape(x, {4}) * reshape(x, {1, 4});
           })
      .add_slices([](const Tensor& x) {
        return reshape(x, {2, 6});
      })
      .into(table);
  NonlinearRow("unsqueeze")
      .add({}, [](const Tensor& x) { return unsqueeze(x, 0); })
      .add({3}, [](const Tensor& x) { return unsqueeze(x, 0) * unsqueeze(x, 1); })
      .add({3}, [](const Tensor& x) { return unsqueeze(x, 1); })
      .add({2, 3}, [](const Tensor& x) { return unsqueeze(x, 0); })
      .add({2, 3}, [](const Tensor& x) { return unsqueeze(x, 1); })
      .add({2, 3}, [](const Tensor& x) { return unsqueeze(x, 2); })
      .add({2, 1, 2}, [](const Tensor& x) { return unsqueeze(x, 1); })
      .add({2, 1, 2, 2}, [](const Tensor& x) { return unsqueeze(x, 3); })
      .add({0, 2}, [](const Tensor& x) { return unsqueeze(x, 1); })
      .add_slices([](const Tensor& x) { return unsqueeze(x, 1); })
      .add_slices([](const Tensor& x) { return unsqueeze(x, 2); })
      .into(table);
  NonlinearRow("squeeze")
      .add({1}, [](const Tensor& x) { return squeeze(x, 0); })
      .add({1, 3}, [](const Tensor& x) { return squeeze(x, 0); })
      .add({3, 1}, [](const Tensor& x) { return squeeze(x, 1); })
      .add({1, 1}, [](const Tensor& x) { return squeeze(squeeze(x, 0), 0); })
      .add({2, 1, 3}, [](const Tensor& x) { return squeeze(x, 1) * squeeze(x, -2); })
      .add({2, 3, 1}, [](const Tensor& x) { return squeeze(x, -1); })
      .add({1, 2, 1, 3}, [](const Tensor& x) { return squeeze(squeeze(x, 2), 0); })
      .add({2, 2, 1, 1, 2}, [](const Tensor& x) { return squeeze(x, 3); })
      .add({0, 1}, [](const Tensor& x) { return squeeze(x, 1); })
      .add({3, 4}, [](const Tensor& x) { return squeeze(slice(x, 1, 2, 3), 1); })
      .add({3, 4}, [](const Tensor& x) { return squeeze(slice(x, 0, 2, 3), 0); })
      .add({2, 1, 4}, [](const Tensor& x) { return squeeze(slice(x, 2, 1, 3), 1); })
      .into(table);
  NonlinearRow copies("contiguous");
  for (const Shape& shape :
       {Shape{}, {1}, {0}, {3}, {2, 3}, {2, 0}, {2, 1, 3}, {2, 2, 1, 2}, {1, 2, 1, 2, 2}}) {
    copies.add(shape, [](const Tensor& x) { return contiguous(x); });
  }
  copies.add_slices([](const Tensor& x) { return contiguous(x); })
      .add({3, 1, 5},
           [](const Tensor& x) { return contiguous(slice(x, 2, 1, 3)) * slice(x, 2, 1, 3); })
      .into(table);
}

}  // namespace

void add_view_rows(Table& table) {
  add_slice_rows(table);
  add_shape_rows(table);
}

}  // namespace rw::testing
