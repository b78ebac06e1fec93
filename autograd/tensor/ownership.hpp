#pragma once

#include <concepts>

#include <rewind/autograd/tensor/memory.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// A type that converts to a tensor: Tensor or Parameter.
template <class T>
concept TensorLike = std::convertible_to<const T&, const Tensor&>;

namespace detail {

// Note [Ownership]
// Handles share memory, so a tensor may be overwritten only if nobody else can read its elements.
// There are two ways to know:
//
// - The handle is the only one to its tensor, and the tensor the only one to its block.
// - The handle is the only one to its tensor, and the tensor is marked exclusive: the code that
//   made it as a part of a larger block guarantees that nobody will read that part through another
//   view. Making a view of a marked tensor removes the mark, since there are two readers then.
//
// A caller gives up its handle with std::move. A function that may overwrite its argument receives
// it through take_over(); std::move of a const tensor does not compile there.

/// Whether `t` is the only handle to its block.
inline bool is_sole_owner(const Tensor& t) {
  return t.body().is_unique() && t.body().block->is_unique();
}

/// Guarantees that nobody reads the elements of `t` through another view.
inline void mark_exclusive(Tensor& t) { t.body().exclusive = true; }

/// Whether nobody else can read the elements of `t`.
inline bool may_be_overwritten(const Tensor& t) {
  return t.body().is_unique() && (t.body().exclusive || t.body().block->is_unique());
}

/// A handle to `x`: moved from a temporary or the result of std::move, otherwise copied.
template <TensorLike T>
Tensor take_over(T&& x) {
  if constexpr (std::same_as<T, Tensor>) {
    return static_cast<Tensor&&>(x);
  } else {
    return static_cast<const Tensor&>(x);
  }
}

}  // namespace detail
}  // namespace rw
