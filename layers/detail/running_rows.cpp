#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/detail/running_rows.hpp>

namespace rw::detail {

void RunningRows::check(const char* who, const Tensor& tensor, const Tensor& steps) const {
  check_shape(tensor.rank() >= 1 && tensor.size(0) == packing_.batch(),
              "{}: the initial state is {}, expected a first axis of {}, the batch of x {}", who,
              tensor.shape(), packing_.batch(), steps.shape());
}

bool RunningRows::ends_before(std::int64_t step) {
  const std::int64_t active = packing_.active(step);
  if (active == rows_) {
    return false;
  }
  rows_before_ = rows_;
  rows_ = active;
  ++endings_;
  return true;
}

Tensor RunningRows::shorter(const Tensor& tensor) {
  ended_.push_back(slice(tensor, 0, rows_, rows_before_));
  return slice(tensor, 0, 0, rows_);
}

Tensor RunningRows::finish(const Tensor& tensor) {
  if (endings_ == 0) {
    return packing_.in_order(tensor);
  }
  const std::size_t tensors = ended_.size() / endings_;
  TensorList parts{tensor};
  parts.reserve(endings_ + 1);
  for (std::size_t ending = endings_; ending-- > 0;) {
    parts.push_back(ended_[ending * tensors + finished_]);
  }
  ++finished_;
  return packing_.in_order(concat(std::span<const Tensor>(parts), 0));
}

}  // namespace rw::detail
