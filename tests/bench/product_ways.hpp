#pragma once

#include <cstdint>
#include <memory>

namespace bench {

/// c = op(a) op(b) of one form, without adding to c: a is stored [k, m] where transposed, else [m,
/// k], b likewise.
struct ProductForm {
  std::int64_t m, n, k;
  bool a_transposed = false, b_transposed = false;
};

/// A way to compute such a product.
class ProductWay {
 public:
  virtual ~ProductWay() = default;
  /// A way that packs b beforehand uses the numbers that it packed.
  virtual void run(const float* a, const float* b, float* c) = 0;
};

/// dnnl_sgemm.
std::unique_ptr<ProductWay> make_sgemm(const ProductForm& form);
/// A dnnl::matmul primitive that chose the layout of b, which has been brought into it.
std::unique_ptr<ProductWay> make_packed_matmul(const ProductForm& form);

}  // namespace bench
