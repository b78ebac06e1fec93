#include <rewind/autograd/losses/own_steps.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/sequence.hpp>

namespace rw {

Tensor last_step(const Sequence& sequence) {
  const Shape& shape = sequence.steps.shape();
  check_shape(shape.rank() == 3, "last_step: the steps are {}, expected [T, B, features]", shape);
  const std::int64_t batch = shape[1];
  const Tensor lengths =
      detail::checked_lengths("last_step", "lengths", sequence.lengths, batch, shape[0]);
  if (shape[0] == 0) {
    return zeros({batch, shape[2]}, sequence.steps.dtype());
  }
  if (!sequence.lengths.defined()) {
    return select(sequence.steps, 0, -1);
  }
  Tensor places = detail::make_tensor({batch}, DType::int64);
  auto* const place = places.mutable_data<std::int64_t>();
  const auto* const length = lengths.data<std::int64_t>();
  bool empty = false;
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t last = sequence.padding == Padding::after ? length[b] - 1 : shape[0] - 1;
    place[b] = length[b] == 0 ? shape[0] * batch : last * batch + b;
    empty = empty || length[b] == 0;
  }
  const Tensor rows = reshape(sequence.steps, {shape[0] * batch, shape[2]});
  return index_select(empty ? pad(rows, 0, 0, 1) : rows, places);  // a row of zeros at the end
}

}  // namespace rw
