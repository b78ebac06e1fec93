#pragma once
// Initial values of weights. A weight [in, out] maps rows of `in` features to rows of `out`.

#include <span>

#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// Xavier (Glorot & Bengio 2010): uniform in +-sqrt(6 / (in + out)), which keeps the variance of
/// signals and of gradients.
Tensor xavier_uniform(const Shape& shape, Rng& rng, DType dtype = DType::float32);
/// Normal with standard deviation sqrt(2 / (in + out)).
Tensor xavier_normal(const Shape& shape, Rng& rng, DType dtype = DType::float32);
/// Kaiming (He et al. 2015): uniform in +-sqrt(6 / in), for layers followed by relu.
Tensor kaiming_uniform(const Shape& shape, Rng& rng, DType dtype = DType::float32);
/// Normal with standard deviation sqrt(2 / in).
Tensor kaiming_normal(const Shape& shape, Rng& rng, DType dtype = DType::float32);
/// A matrix with orthonormal rows or columns, whichever are fewer, times `gain` (Saxe et al. 2014):
/// preserves the norm of a state that it is applied to at every step.
Tensor orthogonal(const Shape& shape, Rng& rng, double gain = 1.0, DType dtype = DType::float32);
/// The identity matrix [size, size] times `gain`.
Tensor identity(std::int64_t size, double gain = 1.0, DType dtype = DType::float32);
/// Several square matrices [hidden, hidden] side by side, each orthogonal: the recurrent weights
/// [hidden, gates * hidden] of a gated cell.
Tensor orthogonal_gates(std::int64_t hidden, int gates, Rng& rng, DType dtype = DType::float32);
/// The bias [gates * hidden] of a gated cell: each gate's value, repeated `hidden` times.
Tensor gate_bias(std::int64_t hidden, std::span<const double> gates, DType dtype = DType::float32);

}  // namespace rw
