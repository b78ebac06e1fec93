#include <cmath>
#include <limits>

#include <Eigen/Eigenvalues>

#include <rewind/layers/detail/spectrum.hpp>

namespace rw::detail {
namespace {

// Eigen's solvers dominate the library's compile time: use only one storage order, and no
// decomposition that another one can replace.
using Matrix = Eigen::MatrixXd;

/// f(A / s) * s with s = max |a_ij|, so that squares of vanishing or exploding elements are in
/// range.
template <class Function>
double scaled(const Tensor& matrix, const Function& function) {
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Rows> values(matrix.data<double>(), matrix.size(0), matrix.size(1));
  if (values.size() == 0) {
    return 0;
  }
  if (!values.allFinite()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double largest = values.cwiseAbs().maxCoeff();
  return largest == 0 ? 0 : largest * function(Matrix(values / largest));
}

}  // namespace

double spectral_radius(const Tensor& matrix) {
  return scaled(matrix, [](const Matrix& a) {
    return Eigen::EigenSolver<Matrix>(a, false).eigenvalues().cwiseAbs().maxCoeff();
  });
}

double largest_singular_value(const Tensor& matrix) {
  return scaled(matrix, [](const Matrix& a) {
    const Matrix gram = a * a.transpose();
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram, Eigen::EigenvaluesOnly);
    return std::sqrt(solver.eigenvalues().maxCoeff());
  });
}

}  // namespace rw::detail
