#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/dropout.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/sort.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"
#include "support/nonlinear_row.hpp"

namespace rw::testing {
namespace {

/// Indices in [0, n), some of them repeated.
Tensor indices(const Shape& shape, std::int64_t n) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values.push_back((i * i + 2 * i + 1) % n);
  }
  return Tensor::from<std::int64_t>(shape, values);
}

void add_whole_slice_rows(Table& table) {
  NonlinearRow selects("index_select");
  NonlinearRow adds("index_add");
  for (const Shape& shape : {Shape{4}, {3, 2}, {1, 3}, {2, 3, 2}, {2, 0}, {2, 1, 2, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const std::int64_t n = shape[axis];
      if (n > 0) {
        selects.add(shape, [=](const Tensor& x) { return index_select(x, indices({5}, n), axis); });
      }
      adds.add(shape, [=](const Tensor& x) { return index_add(x, indices({n}, 3), 4, axis); });
    }
  }
  selects.add({3, 2}, [](const Tensor& x) { return index_select(x, indices({0}, 3), 0); });
  selects.add_slices([](const Tensor& x) { return index_select(x, indices({4}, 3), 0); });
  selects.add_slices([](const Tensor& x) { return index_select(x, indices({5}, 4), 1); });
  adds.add_slices([](const Tensor& x) { return index_add(x, indices({3}, 2), 2, 0); });

  NonlinearRow lookups("embedding");
  for (const Shape& at : {Shape{}, {1}, {4}, {0}, {2, 3}, {2, 1, 2}, {1, 2, 1, 2}}) {
    lookups.add({3, 2}, [=](const Tensor& x) { return embedding(x, indices(at, 3)); });
    lookups.add({4, 1}, [=](const Tensor& x) { return embedding(x, indices(at, 4)) * sum(x); });
  }
  lookups.add_slices([](const Tensor& x) { return embedding(x, indices({2, 3}, 3)); });
  selects.into(table);
  adds.into(table);
  lookups.into(table);
}

void add_single_element_rows(Table& table) {
  NonlinearRow gathers("gather");
  NonlinearRow scatters("scatter_add");
  for (const Shape& shape : {Shape{4}, {3, 2}, {1, 3}, {2, 3, 2}, {2, 1, 2, 2}, {1, 2, 1, 2, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const Shape at = shape.with(axis, 3);
      const std::int64_t n = shape[axis];
      gathers.add(shape, [=](const Tensor& x) { return gather(x, indices(at, n), axis); });
      scatters.add(at,
                   [=](const Tensor& x) { return scatter_add(x, indices(at, n), shape, axis); });
    }
  }
  // Indices with fewer elements than the tensor along other axes, and no indices.
  gathers.add({3, 4}, [](const Tensor& x) { return gather(x, indices({2, 2}, 4), 1); });
  gathers.add({3, 4}, [](const Tensor& x) { return gather(x, indices({0, 4}, 3), 0); });
  scatters.add({2, 2}, [](const Tensor& x) {
    return scatter_add(x, indices({2, 2}, 4), {3, 4}, 1);
  });
  gathers.add_slices([](const Tensor& x) { return gather(x, indices({3, 2}, 4), 1); });
  scatters.add_slices([](const Tensor& x) {
    return scatter_add(x, indices({3, 4}, 5), {3, 5}, 1);
  });
  gathers.into(table);
  scatters.into(table);
}

void add_order_rows(Table& table) {
  NonlinearRow sorts("sort");
  for (const Shape& shape :
       {Shape{1}, {7}, {0}, {3, 2}, {2, 0}, {2, 3, 2}, {2, 1, 2, 2}, {1, 2, 1, 2, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      sorts.add(shape, [=](const Tensor& x) { return sort(x, axis, axis % 2 == 1).values; });
    }
  }
  sorts.add_slices([](const Tensor& x) { return sort(x, 0).values; });
  sorts.add_slices([](const Tensor& x) { return sort(x).values; });
  sorts.into(table);

  NonlinearRow largest("topk");
  for (const Shape& shape : {Shape{1}, {7}, {3, 2}, {2, 3, 4}, {2, 1, 2, 5}, {1, 2, 1, 2, 3}}) {
    largest.add(shape, [](const Tensor& x) { return topk(x, (x.columns() + 1) / 2).values; });
    largest.add(shape, [](const Tensor& x) { return topk(x, x.columns()).values * sum(x); });
  }
  largest.add({3, 4}, [](const Tensor& x) { return topk(x, 0).values; });
  largest.add_slices([](const Tensor& x) { return topk(x, 2).values; });
  largest.into(table);
}

void add_dropout_row(Table& table) {
  NonlinearRow row("dropout");
  // A generator with the same seed draws the same mask in each call.
  const auto dropped = [](double p) {
    return [p](const Tensor& x) {
      Rng rng(5);
      return dropout(x, p, rng);
    };
  };
  for (const Shape& shape :
       {Shape{}, {1}, {0}, {17}, {3, 4}, {2, 1, 3}, {2, 2, 1, 2}, {1, 2, 1, 2, 2}}) {
    row.add(shape, dropped(0.5));
  }
  for (const double p : {0.0, 0.2, 1.0}) {
    row.add({3, 4}, dropped(p));
  }
  row.add_slices(dropped(0.3));
  row.into(table);
}

}  // namespace

void add_indexing_rows(Table& table) {
  add_whole_slice_rows(table);
  add_single_element_rows(table);
  add_order_rows(table);
  add_dropout_row(table);
}

}  // namespace rw::testing
