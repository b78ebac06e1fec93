#include <algorithm>

#include <fmt/format.h>

#include <rewind/autograd/kernels/strided.hpp>
#include <rewind/autograd/kernels/strided_copy.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/described.hpp>
#include <rewind/autograd/tensor/axis.hpp>

namespace rw {
namespace {

void check_index_type(const char* who, const Tensor& indices) {
  check<UsageError>(indices.dtype() == DType::int64, "{}: the indices are {}, expected int64", who,
                    name_of(indices.dtype()));
}

/// The indices, contiguous and checked to be in [0, size).
Tensor checked_indices(const char* who, const Tensor& indices, std::int64_t size) {
  check_index_type(who, indices);
  Tensor dense = indices.is_contiguous() ? indices.detach() : detail::copy_of(indices);
  launch([who, size, shape = indices.shape(), begin = dense.data<std::int64_t>()] {
    const std::int64_t* const end = begin + shape.elements();
    const std::int64_t* const bad =
        std::find_if(begin, end, [size](std::int64_t index) { return index < 0 || index >= size; });
    if (bad != end) [[unlikely]] {
      throw ShapeError(fmt::format("{}: index {} at position {} is out of range, expected [0, {})",
                                   who, *bad, detail::place_name(shape, bad - begin), size));
    }
  });
  return dense;
}

/// The shape with one more axis of `size` at the end.
Shape appended(const char* who, const Shape& indices, std::int64_t size) {
  check_shape(indices.rank() < Shape::max_rank,
              "{}: the indices have shape {}, expected at most {} axes", who, indices,
              Shape::max_rank - 1);
  return indices.inserted(indices.rank(), size);
}

/// Calls `body(whole, part, rows, columns)` for each slice: its start in the array of `shape` (rows
/// `whole_stride` apart) that is indexed along `axis` by `n` indices, its start in the array of
/// selected slices (rows `part_stride` apart), and its extent.
template <class Body>
void for_each_slice(const Shape& shape, std::int64_t whole_stride, std::int64_t part_stride,
                    int axis, const std::int64_t* index, std::int64_t n, const Body& body) {
  const std::int64_t outer = shape.product(0, axis);
  const std::int64_t size = shape[axis];
  const bool last = axis + 1 == shape.rank();
  const std::int64_t rows = last ? 1 : shape.product(axis + 1, shape.rank() - 1);
  const std::int64_t columns = last ? 1 : shape.columns();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t j = 0; j < n; ++j) {
      if (last) {
        body(o * whole_stride + index[j], o * part_stride + j, rows, columns);
      } else {
        body((o * size + index[j]) * rows * whole_stride, (o * n + j) * rows * part_stride, rows,
             columns);
      }
    }
  }
}

/// whole[.., indices[j], ..] += part[.., j, ..]
void add_slices(void* whole, const Shape& shape, std::int64_t whole_stride, int axis,
                const Tensor& indices, const Tensor& part) {
  if (part.elements() == 0) {
    return;
  }
  dispatch(part.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = static_cast<T*>(whole), shape, whole_stride, axis,
            index = indices.data<std::int64_t>(), n = indices.elements(), from = part.data<T>(),
            part_stride = part.row_stride()] {
      for_each_slice(shape, whole_stride, part_stride, axis, index, n,
                     [&](std::int64_t w, std::int64_t p, std::int64_t rows, std::int64_t columns) {
                       kernels::add_rows(to + w, whole_stride, from + p, part_stride, rows,
                                         columns);
                     });
    });
  });
}

Tensor selected(const Tensor& x, const Shape& result, const Tensor& indices, int axis) {
  Tensor y = detail::make_tensor(result, x.dtype());
  if (y.elements() == 0) {
    return y;
  }
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = y.mutable_data<T>(), part_stride = y.columns(), axis,
            index = indices.data<std::int64_t>(), n = indices.elements(), from = x.data<T>(),
            shape = x.shape(), whole_stride = x.row_stride()] {
      for_each_slice(shape, whole_stride, part_stride, axis, index, n,
                     [&](std::int64_t w, std::int64_t p, std::int64_t rows, std::int64_t columns) {
                       kernels::copy_rows(to + p, part_stride, from + w, whole_stride, rows,
                                          columns);
                     });
    });
  });
  return y;
}

/// The gradient of selecting slices.
void add_selected_gradient(const Tensor& dy, Gradients& d, const Shape& shape, int axis,
                           const Tensor& indices) {
  d.add_rows(
      0, [&] { return index_add(dy, indices, shape[axis], axis); },
      [&](auto dx) {
        dx.clear_if_new();
        add_slices(dx.data, shape, dx.row_stride, axis, indices, dy);
      });
}

/// Calls `body(whole, part)` for each index of `shape`: the offset of the element that it selects
/// along `axis` in the array with `strides`, and its own offset in an array of its shape with rows
/// `part_stride` apart.
template <class Body>
void for_each_element(const std::int64_t* index, const Shape& shape, int axis,
                      const kernels::Strides& strides, std::int64_t part_stride, const Body& body) {
  if (shape.elements() == 0) {
    return;
  }
  const std::int64_t step = strides[static_cast<std::size_t>(axis)];
  const std::int64_t along_row = axis + 1 == shape.rank() ? 0 : 1;
  kernels::Strides at{};
  for (std::int64_t r = 0, rows = shape.rows(); r < rows; ++r) {
    std::int64_t base = 0;
    for (int a = 0; a + 1 < shape.rank(); ++a) {
      const auto i = static_cast<std::size_t>(a);
      base += a == axis ? 0 : at[i] * strides[i];
    }
    for (std::int64_t c = 0; c < shape.columns(); ++c) {
      body(base + *index++ * step + c * along_row, r * part_stride + c);
    }
    for (int a = shape.rank() - 2; a >= 0; --a) {
      std::int64_t& count = at[static_cast<std::size_t>(a)];
      if (++count < shape[a]) {
        break;
      }
      count = 0;
    }
  }
}

/// whole[.., indices[i, j, k], ..] += part[i, j, k]
void add_elements(void* whole, const kernels::Strides& strides, int axis, const Tensor& indices,
                  const Tensor& part) {
  dispatch(part.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = static_cast<T*>(whole), strides, axis, index = indices.data<std::int64_t>(),
            shape = indices.shape(), from = part.data<T>(), stride = part.row_stride()] {
      for_each_element(index, shape, axis, strides, stride,
                       [&](std::int64_t w, std::int64_t p) { to[w] += from[p]; });
    });
  });
}

void add_gathered_gradient(const Tensor& dy, Gradients& d, const Shape& shape, int axis,
                           const Tensor& indices) {
  d.add_rows(
      0, [&] { return scatter_add(dy, indices, shape, axis); },
      [&](auto dx) {
        dx.clear_if_new();
        add_elements(dx.data, kernels::strides_of(shape, dx.row_stride), axis, indices, dy);
      });
}

void check_vector(const char* who, const Tensor& indices) {
  check_shape(indices.rank() == 1, "{}: the indices have shape {}, expected one axis", who,
              indices.shape());
}

/// `indices` must fit into `shape` along all axes but `axis`.
void check_fit(const char* who, const Shape& indices, const Shape& shape, int axis) {
  bool fits = indices.rank() == shape.rank();
  for (int a = 0; fits && a < shape.rank(); ++a) {
    fits = a == axis || indices[a] <= shape[a];
  }
  check_shape(fits,
              "{}: the indices have shape {}, expected as many axes as {} and, but for axis {}, no "
              "larger sizes",
              who, indices, shape, axis);
}

}  // namespace

Tensor index_select(const Tensor& x, const Tensor& indices, int axis) {
  const int front = detail::front_axis("index_select", x.shape(), axis);
  check_vector("index_select", indices);
  const Tensor chosen = checked_indices("index_select", indices, x.size(front));
  return record("index_select", {x},
                selected(x, x.shape().with(front, chosen.elements()), chosen, front), saved(chosen),
                [shape = x.shape(), front](const Tensor& dy, Gradients& d, const Tensor& chosen_) {
                  add_selected_gradient(dy, d, shape, front, chosen_);
                });
}

Tensor index_add(const Tensor& x, const Tensor& indices, std::int64_t size, int axis) {
  const int front = detail::front_axis("index_add", x.shape(), axis);
  check_vector("index_add", indices);
  check_shape(indices.elements() == x.size(front),
              "index_add: got {} indices for axis {} of {}, expected {}", indices.elements(), front,
              x.shape(), x.size(front));
  const Tensor chosen = checked_indices("index_add", indices, size);
  const Shape shape = x.shape().with(front, size);
  Tensor y = zeros(shape, x.dtype());
  add_slices(y.body().data, shape, y.row_stride(), front, chosen, x);
  return record("index_add", {x}, std::move(y), saved(chosen),
                [front](const Tensor& dy, Gradients& d, const Tensor& chosen_) {
                  d.add(0, [&] { return index_select(dy, chosen_, front); });
                });
}

Tensor embedding(const Tensor& table, const Tensor& indices) {
  check_shape(table.rank() == 2, "embedding: the table has shape {}, expected [V, F]",
              table.shape());
  const Shape shape = appended("embedding", indices.shape(), table.columns());
  const Tensor chosen = checked_indices("embedding", indices, table.size(0));
  Tensor y = selected(table, shape, chosen, 0);
  return record(
      "embedding", {table}, std::move(y), saved(chosen),
      [of = table.shape()](const Tensor& dy, Gradients& d, const Tensor& chosen_) {
        const std::int64_t n = chosen_.elements();
        add_selected_gradient(reshape(dy, Shape{n, of[1]}), d, of, 0, reshape(chosen_, Shape{n}));
      });
}

Tensor gather(const Tensor& x, const Tensor& indices, int axis) {
  const int front = detail::front_axis("gather", x.shape(), axis);
  check_fit("gather", indices.shape(), x.shape(), front);
  const Tensor chosen = checked_indices("gather", indices, x.size(front));
  Tensor y = detail::make_tensor(chosen.shape(), x.dtype());
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = y.mutable_data<T>(), columns = y.columns(), front,
            index = chosen.data<std::int64_t>(), shape = chosen.shape(), from = x.data<T>(),
            strides = kernels::strides_of(x)] {
      for_each_element(index, shape, front, strides, columns,
                       [&](std::int64_t w, std::int64_t p) { to[p] = from[w]; });
    });
  });
  return record("gather", {x}, std::move(y), saved(chosen),
                [shape = x.shape(), front](const Tensor& dy, Gradients& d, const Tensor& chosen_) {
                  add_gathered_gradient(dy, d, shape, front, chosen_);
                });
}

Tensor scatter_add(const Tensor& x, const Tensor& indices, const Shape& shape, int axis) {
  const int front = detail::front_axis("scatter_add", shape, axis);
  check_shape(x.shape() == indices.shape(),
              "scatter_add: the indices have shape {}, expected {} as x has", indices.shape(),
              x.shape());
  check_fit("scatter_add", indices.shape(), shape, front);
  const Tensor chosen = checked_indices("scatter_add", indices, shape[front]);
  Tensor y = zeros(shape, x.dtype());
  add_elements(y.body().data, kernels::strides_of(y), front, chosen, x);
  return record("scatter_add", {x}, std::move(y), saved(chosen),
                [front](const Tensor& dy, Gradients& d, const Tensor& chosen_) {
                  d.add(0, [&] { return gather(dy, chosen_, front); });
                });
}

Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype) {
  check_shape(classes >= 0, "one_hot: got {} classes, expected 0 or more", classes);
  const Shape shape = appended("one_hot", indices.shape(), classes);
  const Tensor chosen = checked_indices("one_hot", indices, classes);
  Tensor y = zeros(shape, dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    launch([to = y.mutable_data<T>(), classes, index = chosen.data<std::int64_t>(),
            n = chosen.elements()] {
      for (std::int64_t i = 0; i < n; ++i) {
        to[i * classes + index[i]] = T(1);
      }
    });
  });
  return y;
}

}  // namespace rw
