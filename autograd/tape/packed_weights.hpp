#pragma once

#include <cstdint>
#include <vector>

#include <rewind/autograd/tape/gradients.hpp>

namespace rw::detail {

// Note [Packed weights]
// At every time step a product reads the same weight. Two layouts are slow to read.
// Back-propagation multiplies by the transpose; a product with a matrix that is stored transposed
// is up to 50 % faster. The other slow layout is that of Note [Rows of a multiple of 4 KiB]. So
// weights are kept as packed copies in the layout in which products read them: the matrices of the
// forward pass by the tape or, where nothing is recorded, by a run over time; those of a backward
// pass by that pass. A matrix is copied at once where the copy costs less than it saves in one
// product, otherwise when it is read again.

/// The right factors of past products, as copies if those are faster to read.
class PackedWeights {
 public:
  /// `b`, a factor on the right of a matrix of `rows` rows, or a copy of it that lives as long as
  /// this object.
  MatrixOperand packed(const MatrixOperand& b, std::int64_t rows);
  void clear() noexcept { entries_.clear(); }

 private:
  struct Entry {
    const void* data = nullptr;
    std::int64_t row_stride = 0;
    std::uint32_t version = 0;
    bool transposed = false;
    Tensor original;  // keeps the memory from being reused
    Tensor copy;
  };
  std::vector<Entry, PoolAllocator<Entry>> entries_;
};

/// Keeps packed weights for the products that this thread computes without recording them, until
/// the end of the scope. The innermost scope counts.
class WeightScope {
 public:
  /// What the products are part of.
  enum class Kind {
    forward,
    /// Transposed matrices are read repeatedly, and nobody writes to memory that is lent.
    backward,
  };

  explicit WeightScope(Kind kind);
  ~WeightScope();
  WeightScope(const WeightScope&) = delete;
  WeightScope& operator=(const WeightScope&) = delete;

 private:
  friend MatrixOperand packed(const MatrixOperand& b, std::int64_t rows);

  PackedWeights weights_;
  Kind kind_;
  WeightScope* outer_;
};

/// PackedWeights::packed of the active tape, otherwise of the innermost WeightScope; `b` itself if
/// there is neither.
MatrixOperand packed(const MatrixOperand& b, std::int64_t rows);

}  // namespace rw::detail
