#include <algorithm>

#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/losses/own_steps.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/detail/masking.hpp>

namespace rw::detail {

Tensor step_mask(const char* who, const Sequence& sequence) {
  if (!sequence.lengths.defined()) {
    return {};
  }
  const std::int64_t steps = sequence.steps.size(0);
  const std::int64_t batch = sequence.steps.size(1);
  const Tensor lengths = checked_lengths(who, "lengths", sequence.lengths, batch, steps);
  const auto* const length = lengths.data<std::int64_t>();
  const bool after = sequence.padding == Padding::after;
  Tensor mask = zeros({batch, steps}, sequence.steps.dtype());
  dispatch_floating(mask.dtype(), [&](auto type) {
    using T = decltype(type);
    T* row = mask.mutable_data<T>();
    for (std::int64_t b = 0; b < batch; ++b, row += steps) {
      std::fill_n(after ? row : row + steps - length[b], length[b], T(1));
    }
  });
  return mask;
}

Tensor masked(const Tensor& x, const Tensor& mask, double other) {
  return fuse(
      "mask", [](auto v, auto m, auto o) { return where(not_equal(m, 0), v, o); }, x, mask, other);
}

Tensor without_padding(const Tensor& steps, const Tensor& mask) {
  return mask.defined() ? masked(steps, unsqueeze(transpose(mask, 0, 1), 2), 0) : steps;
}

Tensor masked_softmax(const Tensor& scores, const Tensor& mask) {
  if (!mask.defined()) {
    return softmax(scores);
  }
  // A finite number, but so far below every score that its exponential is 0. In a row that is
  // masked out completely all scores are equal, hence the second mask.
  const double nothing = scores.dtype() == DType::float32 ? -1e38 : -1e308;
  return masked(softmax(masked(scores, mask, nothing)), mask, 0);
}

}  // namespace rw::detail
