#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <rewind/autograd/kernels/products.hpp>
#include <rewind/autograd/kernels/strided_copy.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels {

/// c = start + a_1 B_1 + a_2 B_2 + ... for few rows and matrices B_i that stay the same, each in
/// columns of its own. They are packed in panels of whole registers, one column panel after the
/// other, so that each number is read once, in order. For the products of one step of a recurrent
/// network oneDNN's dispatch costs more than the arithmetic (LSTM with 8 units: 250 ns against 15).
///
/// refresh() copies the matrices and the start; until then their old values count. Copies of this
/// object share the packed memory.
template <class T>
class PackedProduct {
 public:
  /// As many rows as are fast here.
  static constexpr std::int64_t most_rows = 8;

  /// What is in c before the first product.
  enum class Start {
    nothing,  // the product replaces c
    present,  // it is added to c
    row,      // it is added to the same row of numbers in each row
  };

  /// What `product` computes, or nothing if packing does not suit it.
  static std::optional<PackedProduct> of(const Product<T>& product);
  /// What `copy` writes if it copies one row into each row of c, or nothing.
  static std::optional<PackedProduct> of(const StridedCopy<T>& copy);

  /// Adds `product`, which must directly follow, if it can be computed in the same pass over c.
  bool add(const Product<T>& product);
  bool has_products() const { return !terms_.empty(); }

  void refresh() const;
  void operator()() const;
  void widen(const rw::detail::Room& room);

 private:
  struct Term {
    const T* a;
    std::int64_t a_stride;
    MatrixView<T> b;
    std::int64_t first_column;  // of c

    bool overlaps(std::int64_t column, std::int64_t count) const {
      return first_column < column + count && column < first_column + b.op_cols() &&
             b.op_cols() > 0;
    }
  };

  struct Packed;

  bool reads_result(const MatrixView<T>& a) const;
  std::vector<std::int64_t> panel_ends() const;
  template <std::size_t registers>
  void run_panel(const Packed& packed, std::size_t panel) const;
  template <std::size_t... I>
  void run_panel_of(std::index_sequence<I...>, std::int64_t registers, const Packed& packed,
                    std::size_t panel) const;

  std::vector<Term> terms_;
  T* c_ = nullptr;
  std::int64_t c_stride_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  Start start_ = Start::nothing;
  const T* start_row_ = nullptr;
  bool wide_ = false;  // the last register of a row is written as a whole
  std::shared_ptr<Packed> packed_;
};

extern template class PackedProduct<float>;
extern template class PackedProduct<double>;

}  // namespace rw::kernels

#pragma GCC visibility pop
