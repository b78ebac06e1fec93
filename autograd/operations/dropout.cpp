#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/dropout.hpp>

namespace rw {
namespace {

void check_arguments(const char* who, double p, DType dtype) {
  check<UsageError>(p >= 0 && p <= 1, "{}: p is {}, expected a probability in [0, 1]", who, p);
  check<UsageError>(is_floating(dtype), "{}: got int64, expected float32 or float64", who);
}

/// Every 64 random bits decide on two elements: an element is kept when its 32 bits are at least
/// `threshold`.
template <class T>
void fill_mask(T* to, std::int64_t n, std::uint64_t threshold, T kept, Rng& rng) {
  // A table, because mispredicted branches would cost more than drawing the bits.
  const std::array<T, 2> choices = {T(0), kept};
  const auto choice = [&](std::uint64_t bits) { return choices[bits >= threshold ? 1 : 0]; };
  std::array<std::uint64_t, 512> bits;
  for (std::int64_t i = 0; i < n;) {
    const std::int64_t pairs = std::min<std::int64_t>(std::ssize(bits), (n - i + 1) / 2);
    rng.fill({bits.data(), static_cast<std::size_t>(pairs)});
    const std::int64_t whole = std::min(pairs, (n - i) / 2);
    for (std::int64_t k = 0; k < whole; ++k, i += 2) {
      const std::uint64_t both = bits[static_cast<std::size_t>(k)];
      to[i] = choice(both & 0xffffffffU);
      to[i + 1] = choice(both >> 32);
    }
    if (whole < pairs) {
      to[i++] = choice(bits[static_cast<std::size_t>(whole)] & 0xffffffffU);
    }
  }
}

}  // namespace

Tensor dropout(const Tensor& x, double p, Rng& rng) {
  check_arguments("dropout", p, x.dtype());
  return p == 0 ? x : x * dropout_mask(x.shape(), p, rng, x.dtype());
}

Tensor dropout_mask(const Shape& shape, double p, Rng& rng, DType dtype) {
  check_arguments("dropout_mask", p, dtype);
  Tensor mask = detail::make_tensor(shape, dtype);
  const auto threshold = static_cast<std::uint64_t>(std::llround(p * 0x1p32));
  dispatch_floating(dtype, [&](auto type) {
    using T = decltype(type);
    const T kept = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
    fill_mask(mask.mutable_data<T>(), shape.elements(), threshold, kept, rng);
  });
  return mask;
}

}  // namespace rw
