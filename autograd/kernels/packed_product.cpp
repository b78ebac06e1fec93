#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include <xsimd/xsimd.hpp>

#include <rewind/autograd/kernels/packed_product.hpp>
#include <rewind/autograd/kernels/row_kernels.hpp>

namespace rw::kernels {
namespace {

constexpr std::size_t panel_registers = 8;
template <class T>
constexpr std::int64_t panel_columns = static_cast<std::int64_t>(panel_registers) * lanes<T>;

/// Columns of a panel in packed memory, which has whole registers.
template <class T>
std::int64_t padded(std::int64_t columns) {
  return (columns + lanes<T> - 1) / lanes<T> * lanes<T>;
}

}  // namespace

template <class T>
struct PackedProduct<T>::Packed {
  /// The rows of a that meet the panel's numbers.
  struct Factor {
    const T* a;
    std::int64_t stride;
    std::int64_t length;
  };
  struct Panel {
    std::int64_t column;
    std::int64_t columns;
    std::size_t first_factor;
    std::size_t end_factor;
    std::size_t first_number;
  };
  std::vector<Panel> panels;
  std::vector<Factor> factors;
  /// Panel after panel; in each the start, if it is a row, and then a row for each index of all
  /// sums.
  std::vector<T, xsimd::aligned_allocator<T, 64>> numbers;
};

template <class T>
std::optional<PackedProduct<T>> PackedProduct<T>::of(const Product<T>& product) {
  PackedProduct packed;
  packed.c_ = product.c;
  packed.c_stride_ = product.c_stride;
  packed.rows_ = product.a.op_rows();
  packed.columns_ = product.b.op_cols();
  packed.start_ = product.accumulate ? Start::present : Start::nothing;
  packed.packed_ = std::make_shared<Packed>();
  if (packed.rows_ < 1 || packed.rows_ > most_rows || packed.columns_ < 1) {
    return std::nullopt;
  }
  Product<T> added = product;
  added.accumulate = true;
  return packed.add(added) ? std::optional(packed) : std::nullopt;
}

template <class T>
std::optional<PackedProduct<T>> PackedProduct<T>::of(const StridedCopy<T>& copy) {
  const Walk& walk = copy.walk;
  // A walk has no axes of size 1.
  const bool has_columns = walk.rank > 0 && walk.from[static_cast<std::size_t>(walk.rank - 1)] != 0;
  const bool has_rows = walk.rank > (has_columns ? 1 : 0);
  const auto last = static_cast<std::size_t>(has_columns ? walk.rank - 1 : 0);
  PackedProduct packed;
  packed.c_ = copy.to;
  packed.rows_ = has_rows ? walk.sizes[0] : 1;
  packed.columns_ = has_columns ? walk.sizes[last] : 1;
  packed.c_stride_ = has_rows ? walk.to[0] : packed.columns_;
  packed.start_ = Start::row;
  packed.start_row_ = copy.from;
  packed.packed_ = std::make_shared<Packed>();
  const bool is_packable = walk.rank <= 2 && (!has_rows || walk.from[0] == 0) &&
                           (!has_columns || (walk.to[last] == 1 && walk.from[last] == 1)) &&
                           packed.rows_ >= 1 && packed.rows_ <= most_rows && packed.columns_ >= 1;
  return is_packable ? std::optional(packed) : std::nullopt;
}

/// Whether a factor is part of what this product writes; it would be read too early.
template <class T>
bool PackedProduct<T>::reads_result(const MatrixView<T>& a) const {
  const std::less<const T*> before;
  const T* const a_end = a.data + (a.rows - 1) * a.stride + a.cols;
  const T* const c_end = c_ + (rows_ - 1) * c_stride_ + columns_;
  return before(a.data, c_end) && before(c_, a_end);
}

template <class T>
bool PackedProduct<T>::add(const Product<T>& product) {
  const std::int64_t first = product.c - c_;
  if (!product.accumulate || product.a.transposed || product.a.op_rows() != rows_ ||
      product.a.op_cols() < 1 || (rows_ > 1 && product.c_stride != c_stride_) || first < 0 ||
      first + product.b.op_cols() > columns_ || reads_result(product.a)) {
    return false;
  }
  terms_.push_back({product.a.data, product.a.stride, product.b, first});
  return true;
}

/// Where panels end: after as many columns as there are registers, and where a matrix begins or
/// ends: 0 in its place would make NaN of an infinite factor.
template <class T>
std::vector<std::int64_t> PackedProduct<T>::panel_ends() const {
  std::vector<std::int64_t> ends{columns_};
  for (const Term& term : terms_) {
    ends.push_back(term.first_column);
    ends.push_back(term.first_column + term.b.op_cols());
  }
  std::ranges::sort(ends);
  std::vector<std::int64_t> all;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    for (; begin < end; begin = all.back()) {
      all.push_back(std::min(begin + panel_columns<T>, end));
    }
  }
  return all;
}

template <class T>
void PackedProduct<T>::refresh() const {
  Packed& packed = *packed_;
  packed.panels.clear();
  packed.factors.clear();
  packed.numbers.clear();
  const auto add_row = [&](std::int64_t columns) {
    packed.numbers.resize(packed.numbers.size() + static_cast<std::size_t>(padded<T>(columns)));
    return packed.numbers.data() + packed.numbers.size() - padded<T>(columns);
  };
  std::int64_t next = 0;
  for (const std::int64_t panel_end : panel_ends()) {
    const std::int64_t column = std::exchange(next, panel_end);
    const std::int64_t count = panel_end - column;
    const std::size_t first_factor = packed.factors.size();
    const std::size_t first_number = packed.numbers.size();
    if (start_ == Start::row) {
      std::copy_n(start_row_ + column, count, add_row(count));
    }
    for (const Term& term : terms_) {
      if (!term.overlaps(column, count)) {
        continue;
      }
      packed.factors.push_back({term.a, term.a_stride, term.b.op_rows()});
      for (std::int64_t i = 0; i < term.b.op_rows(); ++i) {
        T* const to = add_row(count);
        for (std::int64_t c = 0; c < count; ++c) {
          const std::int64_t of_b = column + c - term.first_column;
          to[c] = term.b.transposed ? term.b.data[of_b * term.b.stride + i]
                                    : term.b.data[i * term.b.stride + of_b];
        }
      }
    }
    packed.panels.push_back({column, count, first_factor, packed.factors.size(), first_number});
  }
}

template <class T>
template <std::size_t registers>
void PackedProduct<T>::run_panel(const Packed& packed, std::size_t number) const {
  using V = simd::Batch<T>;
  constexpr auto width = static_cast<std::int64_t>(registers) * lanes<T>;
  // Few registers wait for each other's sums, so that each has two.
  constexpr std::size_t chains = registers <= 2 ? 2 : 1;
  constexpr auto stride = static_cast<std::int64_t>(chains);
  const typename Packed::Panel& panel = packed.panels[number];
  // Columns of the last register.
  const std::int64_t last = wide_ ? lanes<T> : panel.columns - (width - lanes<T>);
  const auto part = [&](std::size_t v) { return v + 1 < registers ? lanes<T> : last; };
  constexpr auto at = [](std::size_t v) { return static_cast<std::int64_t>(v) * lanes<T>; };
  for (std::int64_t row = 0; row < rows_; ++row) {
    T* const c = c_ + row * c_stride_ + panel.column;
    const T* b = packed.numbers.data() + panel.first_number;
    std::array<std::array<V, registers>, chains> sums;
    for (std::size_t v = 0; v < registers; ++v) {
      sums[0][v] = start_ == Start::present ? load(c + at(v), part(v))
                   : start_ == Start::row   ? V::load_aligned(b + at(v))
                                            : V(T(0));
      if constexpr (chains == 2) {
        sums[1][v] = V(T(0));
      }
    }
    b += start_ == Start::row ? width : 0;
    for (std::size_t f = panel.first_factor; f < panel.end_factor; ++f) {
      const typename Packed::Factor& factor = packed.factors[f];
      const T* const a = factor.a + row * factor.stride;
      std::int64_t i = 0;
      for (; i + stride <= factor.length; i += stride) {
        for (std::size_t chain = 0; chain < chains; ++chain, b += width) {
          const V number_of_a(a[i + static_cast<std::int64_t>(chain)]);
          for (std::size_t v = 0; v < registers; ++v) {
            sums[chain][v] = simd::fma(number_of_a, V::load_aligned(b + at(v)), sums[chain][v]);
          }
        }
      }
      for (; i < factor.length; ++i, b += width) {
        const V number_of_a(a[i]);
        for (std::size_t v = 0; v < registers; ++v) {
          sums[0][v] = simd::fma(number_of_a, V::load_aligned(b + at(v)), sums[0][v]);
        }
      }
    }
    for (std::size_t v = 0; v < registers; ++v) {
      if constexpr (chains == 2) {
        sums[0][v] += sums[1][v];
      }
      store(sums[0][v], c + at(v), part(v));
    }
  }
}

/// Calls run_panel<registers>.
template <class T>
template <std::size_t... I>
void PackedProduct<T>::run_panel_of(std::index_sequence<I...>, std::int64_t registers,
                                    const Packed& packed, std::size_t panel) const {
  ((registers == static_cast<std::int64_t>(I) + 1 ? run_panel<I + 1>(packed, panel) : void()), ...);
}

template <class T>
void PackedProduct<T>::operator()() const {
  const Packed& packed = *packed_;
  for (std::size_t i = 0; i < packed.panels.size(); ++i) {
    run_panel_of(std::make_index_sequence<panel_registers>(),
                 padded<T>(packed.panels[i].columns) / lanes<T>, packed, i);
  }
}

template <class T>
void PackedProduct<T>::widen(const rw::detail::Room& room) {
  wide_ = rows_ == 1 && start_ != Start::present &&
          room.may_write_behind(c_, static_cast<std::size_t>(columns_) * sizeof(T));
}

template class PackedProduct<float>;
template class PackedProduct<double>;

}  // namespace rw::kernels
