#pragma once

#include <cstddef>
#include <cstdint>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw::detail {

/// concat(parts, 0), made while the parts come: each is copied to its place at once, while it is
/// still in the processor's caches. What reads the part afterwards can read it there, where it lies
/// beside the others, so that its own memory is free again.
class GrowingConcat {
 public:
  /// Of `parts` tensors that have `size` indices of axis 0 together.
  GrowingConcat(std::size_t parts, std::int64_t size) : parts_(parts), size_(size) {}

  /// Takes part `i`, the indices [begin, end); they may come in any order. Returns the same values,
  /// with the same gradient, in their place. Whoever hands on both must not let either be
  /// overwritten (Note [Products in place]). Throws as concat does.
  const Tensor& put(std::size_t i, std::int64_t begin, std::int64_t end, const Tensor& part);
  /// The whole, once all parts are there; a result of its own, also of one part.
  Tensor finish();

 private:
  TensorList parts_;
  std::int64_t size_;
  Tensor whole_;  // undefined before the first part came
};

}  // namespace rw::detail
