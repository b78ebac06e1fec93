#pragma once
// Reductions over any axes. `axes` empty means all of them; negative axes count from the end. With
// `keep` the reduced axes stay, with size 1, so that the result broadcasts against the argument.

#include <initializer_list>
#include <span>

#include <rewind/autograd/fuse/broadcast.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Axes to reduce over.
using Axes = std::initializer_list<int>;

/// Sum; 0 over no elements. float32 is added up such that the result is infinite or NaN only where
/// an element or the true sum is; the same holds for mean. float64 sums may overflow on the way.
Tensor sum(const Tensor& x, Axes axes = {}, bool keep = false);
/// Arithmetic mean, sum / n; NaN over no elements.
Tensor mean(const Tensor& x, Axes axes = {}, bool keep = false);
/// Largest element, NaN if any is; ties, infinite ones too, share the gradient equally. Throws
/// ShapeError over no elements.
Tensor max(const Tensor& x, Axes axes = {}, bool keep = false);
/// Smallest element, NaN if any is; ties share the gradient as those of max do. Throws ShapeError
/// over no elements.
Tensor min(const Tensor& x, Axes axes = {}, bool keep = false);
/// Variance: sum of (x - mean)^2 / (n - correction), finite as long as the largest square fits the
/// type. NaN, gradient too, of a single element (for correction = 1), and where x is infinite.
Tensor var(const Tensor& x, Axes axes = {}, bool keep = false, double correction = 1.0);
/// log(sum(e^x)) without overflow; -infinity (and zero gradients) over no elements or where all are
/// -infinity. +infinity where an element is, with the gradient NaN there and 0 elsewhere.
Tensor logsumexp(const Tensor& x, Axes axes = {}, bool keep = false);
/// int64 index of the first largest element along `axis`; a NaN counts as largest. Throws
/// ShapeError over no elements.
Tensor argmax(const Tensor& x, int axis = -1, bool keep = false);

}  // namespace rw
