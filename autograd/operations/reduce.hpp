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

/// Sum; 0 over no elements. A float32 sum or mean is infinite or NaN only if an element or the true
/// sum is. Partial sums of float64 tensors may overflow.
Tensor sum(const Tensor& x, Axes axes = {}, bool keep = false);
/// Arithmetic mean, sum / n; NaN over no elements.
Tensor mean(const Tensor& x, Axes axes = {}, bool keep = false);
/// Largest element, NaN if any is; ties, even infinite ones, share the gradient equally. Throws
/// ShapeError over no elements.
Tensor max(const Tensor& x, Axes axes = {}, bool keep = false);
/// Smallest element, NaN if any is; ties share the gradient as those of max do. Throws ShapeError
/// over no elements.
Tensor min(const Tensor& x, Axes axes = {}, bool keep = false);
/// Variance: sum of (x - mean)^2 / (n - correction), finite as long as the largest square fits the
/// type. NaN, as is the gradient, for a single element (with correction = 1), and if x contains
/// infinities.
Tensor var(const Tensor& x, Axes axes = {}, bool keep = false, double correction = 1.0);
/// Standard deviation, the root of var; if that is 0 the gradient is defined as 0.
Tensor stddev(const Tensor& x, Axes axes = {}, bool keep = false, double correction = 1.0);
/// The p-norm (sum |x|^p)^(1/p) over the elements of the reduced axes; p = infinity gives the
/// largest |x|. 0 over no elements, finite as long as the sum fits the type. The gradient at a
/// vector of zeros is defined as 0; that of an infinite norm is NaN. Throws UsageError unless p >=
/// 1.
Tensor norm(const Tensor& x, Axes axes = {}, bool keep = false, double p = 2.0);
/// Product; 1 over no elements. Multiplies in pairs, so that gradients are exact even with zeros:
/// the gradient of a single zero is the product of the others; with two zeros all gradients are 0.
Tensor prod(const Tensor& x, Axes axes = {}, bool keep = false);
/// 1 where any element is not 0, else 0, in x's type; a NaN is not 0. 0 over no elements. The
/// gradient is zero.
Tensor any(const Tensor& x, Axes axes = {}, bool keep = false);
/// 1 where no element is 0, else 0, as any(); 1 over no elements.
Tensor all(const Tensor& x, Axes axes = {}, bool keep = false);
/// log(sum(e^x)) without overflow; -infinity (and zero gradients) over no elements or where all are
/// -infinity. +infinity where an element is, with the gradient NaN there and 0 elsewhere.
Tensor logsumexp(const Tensor& x, Axes axes = {}, bool keep = false);
/// int64 index of the first largest element along `axis`; a NaN counts as largest. Throws
/// ShapeError over no elements.
Tensor argmax(const Tensor& x, int axis = -1, bool keep = false);
/// int64 index of the first smallest element along `axis`; a NaN counts as smallest. Throws
/// ShapeError over no elements.
Tensor argmin(const Tensor& x, int axis = -1, bool keep = false);

}  // namespace rw
