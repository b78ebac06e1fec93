#pragma once
// Every differentiable operation, with inputs at which its gradient is checked. To add an
// operation, add one row in the file of its kind.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

#include "support/values.hpp"

namespace rw::testing {

/// A use of an operation: a function of float64 tensors that can be differentiated with respect to
/// each.
struct Sample {
  TensorFunction function;
  std::vector<Tensor> inputs;
};

/// One row. Its name is the operation's own, which the test uses to find pointwise operations
/// without a row.
struct Operation {
  std::string name;
  std::vector<Sample> samples;
};

using Table = std::vector<Operation>;

/// All rows.
Table operation_table();

void add_pointwise_rows(Table& table);
void add_fused_rows(Table& table);
void add_product_rows(Table& table);
void add_view_rows(Table& table);
void add_movement_rows(Table& table);
void add_indexing_rows(Table& table);
void add_reduction_rows(Table& table);
void add_loss_rows(Table& table);
void add_sequence_rows(Table& table);

using UnaryFunction = std::function<Tensor(const Tensor&)>;
using BinaryFunction = std::function<Tensor(const Tensor&, const Tensor&)>;
/// Draws a tensor from a domain where an operation is smooth.
using Draw = std::function<Tensor(Values&, const Shape&)>;

inline Draw uniform(double low, double high) {
  return [=](Values& values, const Shape& shape) { return values.uniform(shape, low, high); };
}
inline Draw nonzero() {
  return [](Values& values, const Shape& shape) { return values.nonzero(shape); };
}
inline Draw positive() {
  return [](Values& values, const Shape& shape) { return values.positive(shape); };
}
inline Draw spread(double offset = 0.0) {
  return [=](Values& values, const Shape& shape) { return values.spread(shape, offset); };
}

/// Ranks 0 to 5, axes of size 1 and 0, column and row slices, one tensor used twice, two views of
/// one base.
std::vector<Sample> unary_samples(const UnaryFunction& function, const Draw& draw);

/// Equal shapes, broadcasting both ways, axes of size 1 and 0, slices, one tensor on both sides,
/// two views of one base.
std::vector<Sample> binary_samples(const BinaryFunction& function, const Draw& left,
                                   const Draw& right);

}  // namespace rw::testing
