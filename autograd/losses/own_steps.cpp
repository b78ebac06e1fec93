#include <rewind/autograd/losses/own_steps.hpp>

namespace rw::detail {

Tensor checked_lengths(const char* who, const char* name, const Tensor& lengths, std::int64_t batch,
                       std::int64_t longest) {
  if (!lengths.defined()) {
    return full(Shape{batch}, static_cast<double>(longest), DType::int64);
  }
  check<UsageError>(lengths.dtype() == DType::int64, "{}: {} are {}, expected int64", who, name,
                    name_of(lengths.dtype()));
  check_shape(lengths.shape() == Shape{batch},
              "{}: {} are {}, expected [{}]: one for each sequence of the batch", who, name,
              lengths.shape(), batch);
  const auto* const length = lengths.data<std::int64_t>();
  for (std::int64_t b = 0; b < batch; ++b) {
    check_shape(0 <= length[b] && length[b] <= longest, "{}: {}[{}] = {} is outside [0, {}]", who,
                name, b, length[b], longest);
  }
  return lengths.detach();
}

}  // namespace rw::detail
