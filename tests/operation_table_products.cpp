#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;

/// matmul of factors that are stored transposed if requested.
Sample product(Values& values, Shape a, Shape b, bool transpose_a, bool transpose_b) {
  const auto swapped = [](const Shape& shape) {
    return shape.with(-1, shape[-2]).with(-2, shape[-1]);
  };
  a = transpose_a ? swapped(a) : a;
  b = transpose_b ? swapped(b) : b;
  return {[=](Inputs x) {
            return matmul(MatrixOperand(x[0], transpose_a), MatrixOperand(x[1], transpose_b));
          },
          {values.uniform(a, -1, 1), values.uniform(b, -1, 1)}};
}

Operation matmul_row() {
  Values values(61);
  Operation row{"matmul", {}};
  // Both factors plain, either or both transposed; m, k or n of 1 and 0; batched; one matrix for
  // the whole batch.
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{2, 3}, {3, 4}}, {{1, 3}, {3, 1}}, {{4, 1}, {1, 2}},       {{0, 2}, {2, 3}},
      {{2, 0}, {0, 3}}, {{2, 3}, {3, 0}}, {{2, 2, 3}, {2, 3, 2}}, {{1, 2, 1, 2}, {1, 2, 2, 3}},
  };
  for (const auto& [a, b] : shapes) {
    for (const int form : {0, 1, 2, 3}) {
      row.samples.push_back(product(values, a, b, (form & 1) != 0, (form & 2) != 0));
    }
  }
  for (const bool transpose_b : {false, true}) {
    row.samples.push_back(product(values, {2, 2, 3}, {3, 2}, false, transpose_b));
    row.samples.push_back(product(values, {2, 1, 2, 3}, {3, 1}, false, transpose_b));
    row.samples.push_back(product(values, {0, 2, 3}, {3, 2}, false, transpose_b));
  }
  row.samples.push_back(
      {[](Inputs x) { return matmul(slice(x[0], 1, 1, 4), slice(x[1], 1, 2, 4)); },
       {values.uniform({2, 5}, -1, 1), values.uniform({3, 4}, -1, 1)}});
  row.samples.push_back(
      {[](Inputs x) { return matmul(x[0], x[0]); }, {values.uniform({3, 3}, -1, 1)}});
  row.samples.push_back(
      {[](Inputs x) { return matmul(x[0], transposed(x[0])); }, {values.uniform({2, 3}, -1, 1)}});
  row.samples.push_back({[](Inputs x) {
                           const auto [a, b] = split<2>(x[0]);
                           return matmul(transposed(a), b);
                         },
                         {values.uniform({3, 4}, -1, 1)}});
  row.samples.push_back({[](Inputs x) {
                           // A weight that is used at every step.
                           Tensor h = x[0];
                           for (int t = 0; t < 4; ++t) {
                             h = tanh(matmul(h, x[1]));
                           }
                           return h;
                         },
                         {values.uniform({2, 3}, -1, 1), values.uniform({3, 3}, -1, 1)}});
  return row;
}

Operation addmm_row() {
  Values values(67);
  Operation row{"addmm", {}};
  struct Sizes {
    Shape c;
    Shape a;
    Shape b;
  };
  const std::vector<Sizes> shapes = {
      {{4}, {2, 3}, {3, 4}},    {{2, 4}, {2, 3}, {3, 4}},       {{1}, {3, 2}, {2, 1}},
      {{3, 1}, {3, 2}, {2, 1}}, {{2}, {2, 0}, {0, 2}},          {{2, 2}, {2, 0}, {0, 2}},
      {{3}, {0, 2}, {2, 3}},    {{0, 3}, {0, 2}, {2, 3}},       {{0}, {2, 2}, {2, 0}},
      {{2}, {2, 2, 3}, {3, 2}}, {{2, 2, 2}, {2, 2, 3}, {3, 2}}, {{5}, {1, 1}, {1, 5}},
  };
  for (const Sizes& s : shapes) {
    row.samples.push_back(
        {[](Inputs x) { return addmm(x[0], x[1], x[2]); },
         {values.uniform(s.c, -1, 1), values.uniform(s.a, -1, 1), values.uniform(s.b, -1, 1)}});
  }
  row.samples.push_back({[](Inputs x) {
                           return addmm(slice(x[0], 1, 1, 3), slice(x[1], 1, 0, 3),
                                        slice(x[2], 1, 2, 4));
                         },
                         {values.uniform({2, 4}, -1, 1), values.uniform({2, 4}, -1, 1),
                          values.uniform({3, 4}, -1, 1)}});
  row.samples.push_back(
      {[](Inputs x) { return addmm(x[0], x[0], x[0]); }, {values.uniform({3, 3}, -1, 1)}});
  row.samples.push_back({[](Inputs x) {
                           // Steps over one projected sequence, as in recurrent cells.
                           Tensor h = x[2];
                           for (int t = 0; t < 3; ++t) {
                             h = tanh(addmm(select(x[0], 0, t), h, x[1]));
                           }
                           return h;
                         },
                         {values.uniform({3, 2, 2}, -1, 1), values.uniform({2, 2}, -1, 1),
                          values.uniform({2, 2}, -1, 1)}});
  return row;
}

Operation addmm_columns_row() {
  Values values(71);
  Operation row{"addmm_columns", {}};
  const auto sample = [&](const Shape& c, const Shape& a, const Shape& b, std::int64_t first) {
    row.samples.push_back(
        {[first](Inputs x) { return addmm_columns(x[0], x[1], x[2], first); },
         {values.uniform(c, -1, 1), values.uniform(a, -1, 1), values.uniform(b, -1, 1)}});
  };
  sample({5}, {2, 3}, {3, 2}, 0);
  sample({5}, {2, 3}, {3, 2}, 3);
  sample({2, 5}, {2, 3}, {3, 2}, 1);
  sample({2, 3, 4}, {2, 3, 2}, {2, 1}, 2);
  sample({1, 3}, {1, 2}, {2, 3}, 0);
  sample({2, 3}, {2, 2}, {2, 0}, 3);
  sample({0, 3}, {0, 2}, {2, 1}, 1);
  sample({4}, {3, 2}, {2, 3}, 1);
  sample({3, 4}, {3, 0}, {0, 2}, 2);
  sample({3, 4}, {3, 2}, {2, 4}, 0);
  sample({2, 1, 3}, {2, 1, 2}, {2, 2}, 1);
  sample({6}, {1, 4}, {4, 3}, 2);
  row.samples.push_back({[](Inputs x) {
                           // The second product is accumulated in place.
                           return addmm_columns(addmm_columns(x[0], x[1], x[2], 2), x[1], x[3], 0);
                         },
                         {values.uniform({5}, -1, 1), values.uniform({2, 2, 3}, -1, 1),
                          values.uniform({3, 3}, -1, 1), values.uniform({3, 2}, -1, 1)}});
  return row;
}

}  // namespace

void add_product_rows(Table& table) {
  table.push_back(matmul_row());
  table.push_back(addmm_row());
  table.push_back(addmm_columns_row());
}

}  // namespace rw::testing
