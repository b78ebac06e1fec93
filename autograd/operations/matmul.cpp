#include <algorithm>

#include <rewind/autograd/kernels/row_length.hpp>
#include <rewind/autograd/kernels/strided_copy.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/described.hpp>
#include <rewind/autograd/tape/matrix_view.hpp>
#include <rewind/autograd/tape/packed_weights.hpp>
#include <rewind/autograd/tensor/capture_memory.hpp>

namespace rw {
namespace {

std::int64_t rows_of(const MatrixOperand& m) { return m.tensor.size(m.transposed ? -1 : -2); }
std::int64_t columns_of(const MatrixOperand& m) { return m.tensor.size(m.transposed ? -2 : -1); }

void check_operands(const char* who, const MatrixOperand& a, const MatrixOperand& b) {
  const detail::Described left{a.tensor};
  const detail::Described right{b.tensor};
  check_shape(
      a.tensor.rank() >= 2 && b.tensor.rank() >= 2,
      "{}: got shapes {} and {}, expected at least two axes each; unsqueeze a vector to a matrix "
      "of one row or column",
      who, left, right);
  check<UsageError>(a.tensor.dtype() == b.tensor.dtype() && is_floating(a.tensor.dtype()),
                    "{}: got {} and {}, expected one floating type; convert with to()", who,
                    name_of(a.tensor.dtype()), name_of(b.tensor.dtype()));
  check_shape(columns_of(a) == rows_of(b),
              "{}: inner dimensions differ: {}{} has {} columns, {}{} has {} rows", who, left,
              a.transposed ? " transposed" : "", columns_of(a), right,
              b.transposed ? " transposed" : "", rows_of(b));
}

Tensor multiply_matrices(const MatrixOperand& a, const MatrixOperand& b) {
  Tensor c = detail::make_tensor(Shape{rows_of(a), columns_of(b)}, a.tensor.dtype());
  const MatrixOperand right = detail::packed(b, rows_of(a));
  dispatch_floating(c.dtype(), [&](auto type) {
    using T = decltype(type);
    kernels::multiply<T>(kernels::matrix_view<T>(a), kernels::matrix_view<T>(right),
                         c.mutable_data<T>(), c.row_stride(), false);
  });
  return c;
}

Tensor multiply_batch(const MatrixOperand& a, const MatrixOperand& b) {
  const Shape& sa = a.tensor.shape();
  const std::int64_t batch = sa.product(0, sa.rank() - 2);
  Tensor c = detail::make_tensor(sa.with(-2, rows_of(a)).with(-1, columns_of(b)), a.tensor.dtype());
  dispatch_floating(c.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto batched = [](const MatrixOperand& m) {
      const Tensor& t = m.tensor;
      return kernels::MatrixBatch<T>{
          {t.data<T>(), t.size(-2), t.size(-1), t.row_stride(), m.transposed},
          t.size(-2) * t.row_stride()};
    };
    kernels::multiply_batched<T>(batched(a), batched(b), batch, c.mutable_data<T>(), c.row_stride(),
                                 c.size(-2) * c.row_stride(), false);
  });
  return c;
}

/// Accumulates a b in the gradient of `input`.
void add_product_to_gradient(Gradients& d, int input, const MatrixOperand& a,
                             const MatrixOperand& b) {
  if (!d.add_product(input, a, b)) {
    d.add(input, [&] { return matmul(a, b); });
  }
}

/// d(op(a)) = dy op(b)^T and d(op(b)) = op(a)^T dy, each transposed again where op transposes.
void add_gradients(const Tensor& dy, Gradients& d, const MatrixOperand& a, const MatrixOperand& b) {
  if (a.transposed) {
    add_product_to_gradient(d, 0, b, transposed(dy));
  } else {
    add_product_to_gradient(d, 0, dy, MatrixOperand(b.tensor, !b.transposed));
  }
  if (b.transposed) {
    add_product_to_gradient(d, 1, transposed(dy), a);
  } else {
    add_product_to_gradient(d, 1, MatrixOperand(a.tensor, !a.transposed), dy);
  }
}

Tensor recorded_product(const MatrixOperand& a, const MatrixOperand& b, Tensor value) {
  return record("matmul", {a.tensor, b.tensor}, std::move(value), saved(a.tensor, b.tensor),
                [ta = a.transposed, tb = b.transposed](const Tensor& dy, Gradients& d,
                                                       const Tensor& a_, const Tensor& b_) {
                  add_gradients(dy, d, {a_, ta}, {b_, tb});
                });
}

}  // namespace

Tensor matmul(const MatrixOperand& a, const MatrixOperand& b) {
  check_operands("matmul", a, b);
  const Shape& sa = a.tensor.shape();
  const Shape& sb = b.tensor.shape();
  if (sa.rank() == 2 && sb.rank() == 2) {
    return recorded_product(a, b, multiply_matrices(a, b));
  }
  if (sb.rank() == 2 && !a.transposed) {
    // With one matrix on the right, all leading axes of the left are rows of one product.
    const Tensor rows = reshape(a.tensor, Shape{sa.rows(), sa.columns()});
    return reshape(matmul(rows, b), sa.with(-1, columns_of(b)));
  }
  check_shape(sa.rank() == sb.rank() && std::equal(sa.begin(), sa.end() - 2, sb.begin()),
              "matmul: leading axes of {} and {} differ; they must be equal, or the right side a "
              "single matrix",
              sa, sb);
  return recorded_product(a, b, multiply_batch(a, b));
}

namespace {

/// A new matrix for a sum of `columns` columns; extra columns are zero (Note [Rows of a multiple of
/// 4 KiB]).
Tensor make_sum(std::int64_t rows, std::int64_t columns, DType dtype) {
  constexpr std::int64_t few_rows = 16;  // products read this many rows at once
  const std::int64_t stride = rows < few_rows ? columns : detail::good_row_stride(columns, dtype);
  Tensor y = detail::make_tensor(Shape{rows, stride}, dtype);
  if (stride > columns) {
    dispatch_floating(dtype, [&](auto type) {
      using T = decltype(type);
      launch([spare = y.mutable_data<T>() + columns, rows, columns, stride] {
        for (std::int64_t r = 0; r < rows; ++r) {
          std::fill_n(spare + r * stride, stride - columns, T{0});
        }
      });
    });
  }
  return y;
}

/// c + a b for matrices, the product in the columns of c from `first` on.
Tensor add_product(Tensor c, const Tensor& a, const Tensor& b, std::int64_t first) {
  const std::int64_t width = c.columns();
  // What a capture did not make has to stay as it is for the next run.
  const bool is_kept =
      detail::capture_memory != nullptr && !detail::capture_memory->has(c.body().block);
  const bool in_place = c.rank() == 2 && detail::may_be_overwritten(c) && !is_kept;
  Tensor y = in_place ? c.detach() : make_sum(a.rows(), width, a.dtype());
  const MatrixOperand right = detail::packed(b, a.rows());
  dispatch_floating(y.dtype(), [&](auto type) {
    using T = decltype(type);
    T* const to = reinterpret_cast<T*>(y.body().data);
    if (!in_place) {
      // The product accumulates onto a copy of c (or of the bias in every row), so that c is read
      // once.
      kernels::Walk walk;
      walk.add_axis(y.rows(), y.row_stride(), c.rank() == 1 ? 0 : c.row_stride());
      walk.add_axis(width, 1, 1);
      kernels::copy_strided(to, c.data<T>(), walk);
    }
    kernels::multiply<T>(kernels::matrix_view<T>(a), kernels::matrix_view<T>(right), to + first,
                         y.row_stride(), true);
  });
  y = record("addmm", {c, a, b}, std::move(y), saved(a, b),
             [c_shape = c.shape(), first](const Tensor& dy, Gradients& d, const Tensor& a_,
                                          const Tensor& b_) {
               d.add(0, [&] { return sum_to(slice(dy, 1, 0, c_shape.columns()), c_shape); });
               const Tensor dp = slice(dy, 1, first, first + b_.size(1));
               add_product_to_gradient(d, 1, dp, transposed(b_));
               add_product_to_gradient(d, 2, transposed(a_), dp);
             });
  if (in_place) {
    detail::merge_gradients(y);
  }
  return slice(y, 1, 0, width);
}

/// `c` with its leading axes as rows; it may be overwritten if `c` may.
Tensor as_rows(Tensor c) {
  const bool exclusive = detail::may_be_overwritten(c);
  Tensor rows = reshape(c, Shape{c.rows(), c.columns()});
  c.reset();
  if (exclusive) {
    detail::mark_exclusive(rows);
  }
  return rows;
}

void check_addmm(const char* who, const Tensor& c, const Tensor& a, const Tensor& b) {
  check_operands(who, a, b);
  check_shape(b.rank() == 2, "{}: got b {}, expected a matrix", who, detail::Described{b});
  check<UsageError>(c.dtype() == a.dtype(), "{}: c is {}, a and b are {}", who, name_of(c.dtype()),
                    name_of(a.dtype()));
}

/// As add_product, for any number of leading axes, which become rows.
Tensor add_product_of_rows(Tensor c, const Tensor& a, const Tensor& b, std::int64_t first) {
  if (a.rank() == 2) {
    return add_product(std::move(c), a, b, first);
  }
  const Shape result = a.shape().with(-1, c.columns());
  const Tensor rows = reshape(a, Shape{a.rows(), a.columns()});
  Tensor start = c.rank() == 1 ? std::move(c) : as_rows(std::move(c));
  return reshape(add_product(std::move(start), rows, b, first), result);
}

}  // namespace

Tensor detail::sum_with_product(Tensor c, const Tensor& a, const Tensor& b) {
  check_addmm("addmm", c, a, b);
  const Shape result = a.shape().with(-1, b.columns());
  check_shape(c.shape() == result || (c.rank() == 1 && c.columns() == result.columns()),
              "addmm: got c {} for a {} times b {}, expected {} or [{}]", detail::Described{c},
              detail::Described{a}, detail::Described{b}, result, result.columns());
  return add_product_of_rows(std::move(c), a, b, 0);
}

Tensor detail::sum_with_product(Tensor c, const Tensor& a, const Tensor& b, std::int64_t first) {
  check_addmm("addmm_columns", c, a, b);
  const Shape result = a.shape().with(-1, c.columns());
  check_shape(c.shape() == result || c.rank() == 1,
              "addmm_columns: got c {} for a {} times b {}, expected {} or [{}]",
              detail::Described{c}, detail::Described{a}, detail::Described{b}, result,
              result.columns());
  check_shape(0 <= first && first <= c.columns() - b.columns(),
              "addmm_columns: b {} from column {} on does not fit into c {}", detail::Described{b},
              first, detail::Described{c});
  return add_product_of_rows(std::move(c), a, b, first);
}

}  // namespace rw
