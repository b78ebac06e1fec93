#pragma once
// Operations that move elements without changing them: each is one copy, whose gradient is the
// opposite movement. Slices and reshapes, which need no copy, are in views.hpp; broadcasting
// (expand) is in fuse/broadcast.hpp.

#include <cstdint>
#include <initializer_list>
#include <span>

#include <rewind/autograd/tape/record.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// `x` with its axes in another order: axis i of the result is axis `axes[i]` of `x`, permute([T,
/// B, F], {1, 0, 2}) is [B, T, F]. A view, or `x` itself, when only axes of size 1 change places.
/// Throws ShapeError unless `axes` contains every axis once.
Tensor permute(const Tensor& x, std::initializer_list<int> axes);
Tensor permute(const Tensor& x, std::span<const int> axes);

/// `x` with two axes exchanged; a view where permute returns one. Factors of a product need no
/// copy: see transposed() in tape/gradients.hpp.
Tensor transpose(const Tensor& x, int axis_a, int axis_b);

/// Concatenates tensors along `axis`: [.., a, ..] and [.., b, ..] give [.., a + b, ..].
/// Of one tensor it is that tensor, not copied. Throws UsageError for no tensors or differing
/// types, ShapeError when sizes of other axes differ.
Tensor concat(std::span<const Tensor> tensors, int axis);
Tensor concat(std::initializer_list<TensorRef> tensors, int axis);

/// Stacks n tensors of one shape along a new axis, numbered `axis` in the result: stack of T
/// tensors [B, F] along axis 0 is [T, B, F], along axis -1 it is [B, F, T]. Of one tensor it is a
/// view. Throws as concat does.
Tensor stack(std::span<const Tensor> tensors, int axis);
Tensor stack(std::initializer_list<TensorRef> tensors, int axis);

/// `x` with the order along each of `axes` reversed; no axes means all of them. Throws ShapeError
/// for an axis named twice.
Tensor flip(const Tensor& x, std::initializer_list<int> axes = {});

/// `x` moved along `axis` by `shift` places, what leaves at one end coming in at the other: y_i =
/// x_{i - shift}, indices counted modulo the size of the axis. A negative shift moves towards the
/// front. `x` itself if nothing changes place. Throws ShapeError for an axis that does not exist.
Tensor roll(const Tensor& x, std::int64_t shift, int axis);

/// `x` padded along `axis` with `before` elements of `value` in front and `after` at the end; `x`
/// itself for none. Throws ShapeError for negative counts.
Tensor pad(const Tensor& x, int axis, std::int64_t before, std::int64_t after, double value = 0.0);

/// Running sum along `axis`: y_t = x_0 + ... + x_t, or x_t + ... + x_{n-1} when `reversed`. Summed
/// in float64 whatever floating type `x` has, so that long float32 sums keep their digits.
Tensor cumsum(const Tensor& x, int axis, bool reversed = false);

}  // namespace rw
