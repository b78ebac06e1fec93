#include <algorithm>
#include <cmath>

#include <Eigen/QR>

#include <rewind/layers/initializers.hpp>

namespace rw {
namespace {

void check_matrix(const char* who, const Shape& shape) {
  check_shape(shape.rank() == 2, "{}: got shape {}, expected a matrix [in, out]", who, shape);
}

double fan_sum(const Shape& shape) { return static_cast<double>(shape[0] + shape[1]); }

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix orthogonal_matrix(std::int64_t rows, std::int64_t columns, Rng& rng) {
  const std::int64_t tall = std::max(rows, columns);
  const std::int64_t wide = std::min(rows, columns);
  Matrix random(tall, wide);
  for (std::int64_t i = 0; i < random.size(); ++i) {
    random.data()[i] = rng.normal();
  }
  const Eigen::HouseholderQR<Matrix> qr(random);
  Matrix q = qr.householderQ() * Matrix::Identity(tall, wide);
  // Signs from R's diagonal make the result uniform among orthogonal matrices (Mezzadri 2007).
  for (std::int64_t column = 0; column < wide; ++column) {
    if (qr.matrixQR()(column, column) < 0) {
      q.col(column) *= -1.0;
    }
  }
  if (rows < columns) {
    return q.transpose();
  }
  return q;
}

}  // namespace

Tensor xavier_uniform(const Shape& shape, Rng& rng, DType dtype) {
  check_matrix("xavier_uniform", shape);
  const double bound = std::sqrt(6.0 / fan_sum(shape));
  return rng.uniform(shape, -bound, bound, dtype);
}

Tensor xavier_normal(const Shape& shape, Rng& rng, DType dtype) {
  check_matrix("xavier_normal", shape);
  return rng.normal(shape, 0.0, std::sqrt(2.0 / fan_sum(shape)), dtype);
}

Tensor kaiming_uniform(const Shape& shape, Rng& rng, DType dtype) {
  check_matrix("kaiming_uniform", shape);
  const double bound = std::sqrt(6.0 / static_cast<double>(shape[0]));
  return rng.uniform(shape, -bound, bound, dtype);
}

Tensor kaiming_normal(const Shape& shape, Rng& rng, DType dtype) {
  check_matrix("kaiming_normal", shape);
  return rng.normal(shape, 0.0, std::sqrt(2.0 / static_cast<double>(shape[0])), dtype);
}

Tensor orthogonal(const Shape& shape, Rng& rng, double gain, DType dtype) {
  check_matrix("orthogonal", shape);
  const Matrix q = gain * orthogonal_matrix(shape[0], shape[1], rng);
  return Tensor::from<double>(shape, std::span(q.data(), static_cast<std::size_t>(q.size())))
      .to(dtype);
}

Tensor identity(std::int64_t size, double gain, DType dtype) {
  const Matrix scaled = gain * Matrix::Identity(size, size);
  return Tensor::from<double>({size, size},
                              std::span(scaled.data(), static_cast<std::size_t>(scaled.size())))
      .to(dtype);
}

Tensor orthogonal_gates(std::int64_t hidden, int gates, Rng& rng, DType dtype) {
  Matrix all(hidden, gates * hidden);
  for (int gate = 0; gate < gates; ++gate) {
    all.middleCols(gate * hidden, hidden) = orthogonal_matrix(hidden, hidden, rng);
  }
  return Tensor::from<double>(Shape{hidden, gates * hidden},
                              std::span(all.data(), static_cast<std::size_t>(all.size())))
      .to(dtype);
}

Tensor gate_bias(std::int64_t hidden, std::span<const double> gates, DType dtype) {
  Tensor bias = detail::make_tensor({static_cast<std::int64_t>(gates.size()) * hidden}, dtype);
  dispatch_floating(dtype, [&](auto type) {
    using T = decltype(type);
    T* to = bias.mutable_data<T>();
    for (const double value : gates) {
      to = std::fill_n(to, hidden, static_cast<T>(value));
    }
  });
  return bias;
}

}  // namespace rw
