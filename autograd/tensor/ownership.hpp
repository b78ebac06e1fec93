#pragma once

#include <concepts>

#include <rewind/autograd/tensor/memory.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// What reads as a tensor: a Tensor or a Parameter.
template <class T>
concept TensorLike = std::convertible_to<const T&, const Tensor&>;

namespace detail {

// Note [Ownership]
// Handles share memory, so whoever wants to overwrite a tensor must know that nobody else can read
// what it shows. There are two ways to know:
//
// - The handle is the only one to its tensor, and the tensor the only one to its block.
// - The handle is the only one to its tensor, and the tensor is marked exclusive: whoever made it
//   as a part of a larger block has promised that nobody will read that part through another view.
//   Making a view of a marked tensor takes the mark away, since there are two readers then.
//
// A caller gives its handle up by std::move: a function that may overwrite its argument receives
// it through take_over(), and a const tensor, of which nothing can be moved, does not compile
// there.

/// Whether `t` is the only handle to its block.
inline bool is_sole_owner(const Tensor& t) {
  return t.body().is_unique() && t.body().block->is_unique();
}

/// Promises that nobody reads what `t` shows through another view.
inline void mark_exclusive(Tensor& t) { t.body().exclusive = true; }

/// Whether nobody else can read what `t` shows.
inline bool may_be_overwritten(const Tensor& t) {
  return t.body().is_unique() && (t.body().exclusive || t.body().block->is_unique());
}

/// A handle of a function's own to `x`, taken over from a temporary or what std::move gives.
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
