#include <algorithm>

#include <rewind/autograd/kernels/strided.hpp>
#include <rewind/autograd/kernels/strided_copy.hpp>
#include <rewind/autograd/operations/growing_concat.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tensor/axis.hpp>

namespace rw {
namespace {

using TensorRefs = std::vector<TensorRef, detail::PoolAllocator<TensorRef>>;

void check_type(const char* name, std::size_t i, DType got, DType expected) {
  check<UsageError>(got == expected,
                    "{}: tensor {} is {}, expected {} as the others are; convert with to()", name,
                    i, name_of(got), name_of(expected));
}

void check_some(const char* name, std::span<const TensorRef> tensors) {
  check<UsageError>(!tensors.empty(), "{}: got no tensors, expected at least one", name);
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    check_type(name, i, tensors[i].get().dtype(), tensors[0].get().dtype());
  }
}

/// Copies the tensors into `y`, each `size(tensor)` indices of `axis` after the previous one; `to`
/// has y's strides along the tensors' axes.
template <class Size>
void fill(Tensor& y, int axis, const kernels::Strides& to, std::span<const TensorRef> tensors,
          const Size& size) {
  const std::int64_t stride = kernels::strides_of(y)[static_cast<std::size_t>(axis)];
  dispatch(y.dtype(), [&](auto type) {
    using T = decltype(type);
    T* place = y.mutable_data<T>();
    for (const Tensor& x : tensors) {
      kernels::copy_strided(place, x.data<T>(),
                            kernels::walk_over(x.shape(), to, kernels::strides_of(x)));
      place += size(x) * stride;
    }
  });
}

void check_fits(std::size_t i, const Shape& shape, const Shape& model, int front) {
  bool fits = shape.rank() == model.rank();
  for (int a = 0; fits && a < model.rank(); ++a) {
    fits = a == front || shape[a] == model[a];
  }
  check_shape(fits, "concat: tensor {} has shape {}, expected {} in all axes but axis {}", i, shape,
              model, front);
}

/// Records `y`, the tensors concatenated along axis `front`.
Tensor record_concat(std::span<const TensorRef> tensors, int front, Tensor y) {
  std::int64_t* ends = nullptr;
  if (detail::context.tape != nullptr) {
    ends = static_cast<std::int64_t*>(detail::tape_memory(tensors.size() * sizeof(std::int64_t)));
    std::int64_t end = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      end += tensors[i].get().size(front);
      ends[i] = end;
    }
  }
  return record("concat", tensors, std::move(y), saved(),
                [ends, count = tensors.size(), front](const Tensor& dy, Gradients& d) {
                  for (std::size_t i = 0; i < count; ++i) {
                    d.add(static_cast<int>(i),
                          [&] { return slice(dy, front, i == 0 ? 0 : ends[i - 1], ends[i]); });
                  }
                });
}

Tensor concatenated(std::span<const TensorRef> tensors, int axis) {
  check_some("concat", tensors);
  const Shape& model = tensors[0].get().shape();
  const int front = detail::front_axis("concat", model, axis);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Shape& shape = tensors[i].get().shape();
    check_fits(i, shape, model, front);
    total += shape[front];
  }
  if (tensors.size() == 1) {
    return tensors[0].get();
  }
  Tensor y = detail::make_tensor(model.with(front, total), tensors[0].get().dtype());
  fill(y, front, kernels::strides_of(y), tensors, [&](const Tensor& x) { return x.size(front); });
  return record_concat(tensors, front, std::move(y));
}

Tensor stacked(std::span<const TensorRef> tensors, int axis) {
  check_some("stack", tensors);
  const Shape& model = tensors[0].get().shape();
  const int rank = model.rank() + 1;
  check_shape(rank <= Shape::max_rank,
              "stack: tensors of shape {} have {} axes, expected at most {}", model, rank - 1,
              Shape::max_rank - 1);
  check_shape(-rank <= axis && axis < rank,
              "stack: axis {} does not exist in a stack of tensors of shape {}, which has {} axes",
              axis, model, rank);
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    const Shape& shape = tensors[i].get().shape();
    check_shape(shape == model, "stack: tensor {} has shape {}, expected {} as tensor 0 has", i,
                shape, model);
  }
  const int front = axis < 0 ? axis + rank : axis;
  if (tensors.size() == 1) {
    return unsqueeze(tensors[0].get(), front);
  }
  const auto count = static_cast<std::int64_t>(tensors.size());
  Tensor y = detail::make_tensor(model.inserted(front, count), tensors[0].get().dtype());
  kernels::Strides to = kernels::strides_of(y);
  std::shift_left(to.begin() + front, to.end(), 1);
  fill(y, front, to, tensors, [](const Tensor&) { return std::int64_t{1}; });
  return record("stack", tensors, std::move(y), saved(),
                [count, front](const Tensor& dy, Gradients& d) {
                  for (std::int64_t i = 0; i < count; ++i) {
                    d.add(static_cast<int>(i), [&] { return select(dy, front, i); });
                  }
                });
}

}  // namespace

const Tensor& detail::GrowingConcat::put(std::size_t i, std::int64_t begin, std::int64_t end,
                                         const Tensor& part) {
  if (!whole_.defined()) {
    check_shape(part.rank() > 0, "concat: tensor {} is a single number, expected axes", i);
    whole_ = make_tensor(part.shape().with(0, size_), part.dtype());
  }
  check_type("concat", i, part.dtype(), whole_.dtype());
  const Shape expected = whole_.shape().with(0, end - begin);
  check_shape(part.shape() == expected, "concat: tensor {} has shape {}, expected {}", i,
              part.shape(), expected);
  const std::int64_t columns = part.columns();
  const std::int64_t offset = begin * whole_.shape().product(1, whole_.rank());
  dispatch(part.dtype(), [&](auto type) {
    using T = decltype(type);
    launch([to = reinterpret_cast<T*>(whole_.body().data) + offset, columns, from = part.data<T>(),
            stride = part.row_stride(), rows = part.elements() == 0 ? 0 : part.rows()] {
      kernels::copy_rows(to, columns, from, stride, rows, columns);
    });
  });
  const Link link = link_of(part);
  return parts_[i] = make_view(whole_, link, expected, offset, columns, 0, link.row_stride);
}

Tensor detail::GrowingConcat::finish() {
  return record_concat(TensorRefs(parts_.begin(), parts_.end()), 0, std::move(whole_));
}

Tensor concat(std::span<const Tensor> tensors, int axis) {
  return concatenated(TensorRefs(tensors.begin(), tensors.end()), axis);
}

Tensor concat(std::initializer_list<TensorRef> tensors, int axis) {
  return concatenated({tensors.begin(), tensors.size()}, axis);
}

Tensor stack(std::span<const Tensor> tensors, int axis) {
  return stacked(TensorRefs(tensors.begin(), tensors.end()), axis);
}

Tensor stack(std::initializer_list<TensorRef> tensors, int axis) {
  return stacked({tensors.begin(), tensors.size()}, axis);
}

}  // namespace rw
