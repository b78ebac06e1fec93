#pragma once
// A tensor that shares memory with another knows which part of a recorded result it is (Note
// [Gradients of views], detail/gradient_slot.cpp).

#include <cstdint>

#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// `x` itself when it is dense, otherwise a dense copy.
Tensor contiguous(const Tensor& x);

namespace detail {

/// A tensor over part of `base`'s storage that starts `offset` elements after its first, with rows
/// `row_stride` apart, linked to the same part of `base`'s gradient (`link`, link_of(base)), in
/// which the part starts at `gradient_offset` with rows `gradient_row_stride` apart.
Tensor make_view(const Tensor& base, const Link& link, const Shape& shape, std::int64_t offset,
                 std::int64_t row_stride, std::int64_t gradient_offset,
                 std::int64_t gradient_row_stride);

/// Whether neither `x` nor its part of the gradient has gaps between rows.
bool is_dense(const Tensor& x);

/// The part of `x` that `region` describes; the gradient of accumulating in that part.
Tensor part(const Tensor& x, const Region& region);

}  // namespace detail
}  // namespace rw
