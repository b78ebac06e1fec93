#pragma once

#include <cstdint>
#include <vector>

#include <rewind/autograd/tape/gradients.hpp>

namespace rw::detail {

// Note [Packed weights]
// At every time step a product reads the same weight. Two layouts are slow to read.
// Back-propagation multiplies by the transpose, and a product with a matrix stored the other way
// round is up to half as fast again. The other layout is that of Note [Rows of a multiple of
// 4 KiB]. So a tape keeps copies of the matrices that its forward pass meets, and a backward pass
// of those that it meets, stored the way in which they are read: at once where the copy costs less
// than it saves in one product, otherwise when a matrix is met again. Where nothing is recorded, a
// run over time keeps them.

/// The matrices that have been multiplied by, as copies where those are faster to read.
class StoredWeights {
 public:
  /// `b`, a factor on the right of a matrix of `rows` rows, or a copy of it that lives as long as
  /// this object.
  MatrixOperand stored_as_read(const MatrixOperand& b, std::int64_t rows);
  void clear() noexcept { entries_.clear(); }

 private:
  struct Entry {
    const void* data = nullptr;
    std::int64_t row_stride = 0;
    std::uint32_t version = 0;
    bool transposed = false;
    Tensor original;  // keeps the memory from being used again
    Tensor copy;
  };
  std::vector<Entry, PoolAllocator<Entry>> entries_;
};

/// Keeps the copies of forward passes while it lives and the thread records nothing.
class KeptWeights {
 public:
  KeptWeights();
  ~KeptWeights();
  KeptWeights(const KeptWeights&) = delete;
  KeptWeights& operator=(const KeptWeights&) = delete;

 private:
  StoredWeights weights_;
  StoredWeights* outer_;
};

/// StoredWeights::stored_as_read for a forward pass: the active tape keeps the copies, or a
/// KeptWeights; without either there are none. Those of transposed matrices would seldom be read
/// again.
MatrixOperand stored_as_read(const MatrixOperand& b, std::int64_t rows);

}  // namespace rw::detail
