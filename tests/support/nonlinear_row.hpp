#pragma once

#include <utility>
#include <vector>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "../operation_table.hpp"

namespace rw::testing {

/// A row of samples whose results go through a sine, which gives operations that only move elements
/// a second derivative.
class NonlinearRow {
 public:
  explicit NonlinearRow(const char* name) : values_(71), row_{name, {}} {}

  NonlinearRow& add(const Shape& shape, const UnaryFunction& f) {
    row_.samples.push_back({[f](const std::vector<Tensor>& x) { return sin(f(x[0])); },
                            {values_.uniform(shape, -1, 1)}});
    return *this;
  }
  /// Samples on a column slice, on a product of its argument, on two views of one base.
  NonlinearRow& add_slices(const UnaryFunction& f) {
    add({3, 6}, [f](const Tensor& x) { return f(slice(x, 1, 1, 5)); });
    add({3, 4}, [f](const Tensor& x) { return f(x * x) + sum(x); });
    add({3, 6}, [f](const Tensor& x) { return f(slice(x, 1, 0, 4)) * f(slice(x, 1, 2, 6)); });
    return *this;
  }
  NonlinearRow& add(const std::vector<Shape>& shapes, const TensorFunction& f) {
    std::vector<Tensor> inputs;
    for (const Shape& shape : shapes) {
      inputs.push_back(values_.uniform(shape, -1, 1));
    }
    row_.samples.push_back(
        {[f](const std::vector<Tensor>& x) { return sin(f(x)); }, std::move(inputs)});
    return *this;
  }
  void into(Table& table) { table.push_back(std::move(row_)); }

 private:
  Values values_;
  Operation row_;
};

}  // namespace rw::testing
