#include "operation_table.hpp"

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/views.hpp>

namespace rw::testing {

Table operation_table() {
  Table table;
  add_pointwise_rows(table);
  add_fused_rows(table);
  add_product_rows(table);
  add_view_rows(table);
  add_movement_rows(table);
  add_indexing_rows(table);
  add_reduction_rows(table);
  add_loss_rows(table);
  add_sequence_rows(table);
  return table;
}

std::vector<Sample> unary_samples(const UnaryFunction& f, const Draw& draw) {
  using Inputs = const std::vector<Tensor>&;
  Values values(17);
  std::vector<Sample> samples;
  const std::vector<Shape> shapes = {{},     {1},       {0},          {5},
                                     {17},   {3, 4},    {1, 4},       {4, 1},
                                     {2, 0}, {2, 1, 3}, {2, 2, 1, 3}, {1, 2, 3, 2, 1}};
  for (const Shape& shape : shapes) {
    samples.push_back({[f](Inputs x) { return f(x[0]); }, {draw(values, shape)}});
  }
  samples.push_back({[f](Inputs x) { return f(slice(x[0], 1, 1, 4)); }, {draw(values, {3, 6})}});
  samples.push_back({[f](Inputs x) { return f(slice(x[0], 0, 1, 3)); }, {draw(values, {4, 2, 2})}});
  samples.push_back({[f](Inputs x) { return f(x[0]) * x[0] + f(x[0]); }, {draw(values, {2, 3})}});
  samples.push_back({[f](Inputs x) {
                       return f(slice(x[0], 1, 0, 3)) * f(slice(x[0], 1, 2, 5)) +
                              slice(x[0], 1, 1, 4);
                     },
                     {draw(values, {2, 5})}});
  return samples;
}

std::vector<Sample> binary_samples(const BinaryFunction& f, const Draw& left, const Draw& right) {
  using Inputs = const std::vector<Tensor>&;
  Values values(23);
  std::vector<Sample> samples;
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},
      {{5}, {5}},
      {{2, 3}, {3}},
      {{3}, {2, 3}},
      {{2, 1}, {1, 3}},
      {{2, 3, 2}, {3, 1}},
      {{}, {2, 2}},
      {{2, 2}, {}},
      {{2, 0}, {1, 1}},
      {{0}, {1}},
      {{1}, {17}},
      {{2, 1, 3}, {4, 1}},
      {{1, 2, 1, 2, 2}, {2, 3, 1, 2}},
  };
  for (const auto& [a, b] : shapes) {
    samples.push_back(
        {[f](Inputs x) { return f(x[0], x[1]); }, {left(values, a), right(values, b)}});
  }
  samples.push_back({[f](Inputs x) { return f(slice(x[0], 1, 1, 3), slice(x[1], 1, 0, 2)); },
                     {left(values, {3, 4}), right(values, {3, 2})}});
  samples.push_back({[f](Inputs x) {
                       const auto [a, b] = split<2>(x[0]);
                       return f(a, slice(x[1], 0, 1, 2)) + f(b, slice(x[1], 0, 0, 1)) * a;
                     },
                     {left(values, {2, 6}), right(values, {2, 3})}});
  samples.push_back({[f](Inputs x) { return f(x[0], x[1]) * f(x[0], x[1]) + x[0]; },
                     {left(values, {2, 2}), right(values, {2, 2})}});
  return samples;
}

}  // namespace rw::testing
