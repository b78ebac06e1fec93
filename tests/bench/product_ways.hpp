#pragma once

#include <cstdint>
#include <memory>

namespace bench {

/// c = op(a) op(b) of one form, without accumulating into c. a is stored [k, m] if transposed,
/// otherwise [m, k]; b likewise.
struct ProductForm {
  std::int64_t m, n, k;
  bool a_transposed = false, b_transposed = false;
};

/// A way to compute such a product.
class ProductWay {
 public:
  virtual ~ProductWay() = default;
  /// If b is packed beforehand, the packed numbers are used.
  virtual void run(const float* a, const float* b, float* c) = 0;
};

/// dnnl_sgemm.
std::unique_ptr<ProductWay> make_sgemm(const ProductForm& form);
/// A dnnl::matmul primitive that chose the layout of b; b has been packed in that layout.
std::unique_ptr<ProductWay> make_packed_matmul(const ProductForm& form);

}  // namespace bench
