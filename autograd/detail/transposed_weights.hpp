#pragma once

#include <cstdint>
#include <vector>

#include <rewind/autograd/gradients.hpp>

namespace rw::detail {

// Note [Transposed weights]
// Back-propagation multiplies by the transpose of each weight, at every time step by the same one.
// A product with a matrix stored the other way round is up to half as fast again, so a backward
// pass keeps transposed copies of the matrices that it meets: at once where the copy costs less
// than it saves in one product, otherwise when it meets the matrix again.

/// The matrices that one backward pass has multiplied by, transposed.
class TransposedWeights {
 public:
  /// `b`, a factor on the right of a matrix of `rows` rows; as a copy stored the way in which it is
  /// read where that is faster. The copy lives as long as this object.
  MatrixOperand stored_as_read(const MatrixOperand& b, std::int64_t rows);

 private:
  struct Entry {
    const void* data = nullptr;
    std::int64_t row_stride = 0;
    std::uint32_t version = 0;
    Tensor original;  // keeps the memory from being used again
    Tensor copy;
  };
  std::vector<Entry, PoolAllocator<Entry>> entries_;
};

}  // namespace rw::detail
