#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/state_rows.hpp>

namespace rw::detail {

Tensor with_rows(const Tensor& old, const Tensor& indices, const Tensor& fresh) {
  const std::int64_t rows = old.size(0);
  check_shape(fresh.shape() == old.shape(),
              "reset_rows: the fresh state is {}, expected {} as the state is", fresh.shape(),
              old.shape());
  const Tensor count = ones({indices.elements()}, old.dtype());
  Shape column{rows};
  for (int axis = 1; axis < old.rank(); ++axis) {
    column = column.inserted(axis, 1);
  }
  return where(reshape(index_add(count, indices, rows), column), fresh, old);
}

}  // namespace rw::detail
