#pragma once

#include <cstddef>
#include <cstdint>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw::detail {

/// concat(parts, 0), built as the parts arrive: each is copied to its place immediately, while it
/// is still in the caches. Later readers can read the part there, so that its own memory is freed.
class GrowingConcat {
 public:
  /// For `parts` tensors with `size` indices of axis 0 in total.
  GrowingConcat(std::size_t parts, std::int64_t size) : parts_(parts), size_(size) {}

  /// Adds part `i`, the indices [begin, end); parts may come in any order. Returns the same values,
  /// with the same gradient, in their place. If both are passed on, neither may be overwritten
  /// (Note [Products in place]). Throws as concat does.
  const Tensor& put(std::size_t i, std::int64_t begin, std::int64_t end, const Tensor& part);
  /// The whole, after all parts; a separate result even for one part.
  Tensor finish();

 private:
  TensorList parts_;
  std::int64_t size_;
  Tensor whole_;  // undefined before the first part
};

}  // namespace rw::detail
