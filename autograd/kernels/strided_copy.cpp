#include <algorithm>
#include <cstring>

#include <xsimd/xsimd.hpp>

#include <rewind/autograd/kernels/parallel.hpp>
#include <rewind/autograd/kernels/strided.hpp>
#include <rewind/autograd/kernels/strided_copy.hpp>

namespace rw::kernels {

Strides strides_of(const Shape& shape, std::int64_t row_stride) {
  Strides strides{};
  std::int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[static_cast<std::size_t>(i)] = stride;
    stride = i == shape.rank() - 1 ? row_stride : stride * shape[i];
  }
  return strides;
}

void Walk::add_axis(std::int64_t size, std::int64_t to_stride, std::int64_t from_stride) {
  if (size == 1) {
    return;
  }
  const auto last = static_cast<std::size_t>(rank - 1);
  if (rank > 0 && to[last] == size * to_stride && from[last] == size * from_stride) {
    sizes[last] *= size;
    to[last] = to_stride;
    from[last] = from_stride;
    return;
  }
  const auto next = static_cast<std::size_t>(rank++);
  sizes[next] = size;
  to[next] = to_stride;
  from[next] = from_stride;
}

Walk walk_over(const Shape& shape, const Strides& to, const Strides& from) {
  Walk walk;
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.rank()); ++i) {
    walk.add_axis(shape.sizes()[i], to[i], from[i]);
  }
  return walk;
}

void Walk::remove_axis(int axis) {
  for (auto i = static_cast<std::size_t>(axis); i + 1 < static_cast<std::size_t>(rank); ++i) {
    sizes[i] = sizes[i + 1];
    to[i] = to[i + 1];
    from[i] = from[i + 1];
  }
  --rank;
}

namespace {

struct Axis {
  std::int64_t size;
  std::int64_t to;
  std::int64_t from;
};

Axis take_axis(Walk& walk, int axis) {
  const auto i = static_cast<std::size_t>(axis);
  const Axis result{walk.sizes[i], walk.to[i], walk.from[i]};
  walk.remove_axis(axis);
  return result;
}

/// Calls `body(to, from)` at every index of `walk`.
template <class T, class Body>
void for_each(T* to, const T* from, const Walk& walk, const Body& body) {
  Strides index{};
  for (;;) {
    body(to, from);
    int axis = walk.rank - 1;
    for (; axis >= 0; --axis) {
      const auto i = static_cast<std::size_t>(axis);
      to += walk.to[i];
      from += walk.from[i];
      if (++index[i] < walk.sizes[i]) {
        break;
      }
      to -= walk.to[i] * walk.sizes[i];
      from -= walk.from[i] * walk.sizes[i];
      index[i] = 0;
    }
    if (axis < 0) {
      return;
    }
  }
}

template <class T>
using Register = xsimd::make_sized_batch_t<T, 16 / sizeof(T)>;

/// Transposes a square of registers.
template <class T>
void exchange(std::array<Register<T>, 16 / sizeof(T)>& rows) {
  if constexpr (sizeof(T) == 8) {
    rows = {xsimd::zip_lo(rows[0], rows[1]), xsimd::zip_hi(rows[0], rows[1])};
  } else {
    const auto a = xsimd::zip_lo(rows[0], rows[2]);
    const auto b = xsimd::zip_hi(rows[0], rows[2]);
    const auto c = xsimd::zip_lo(rows[1], rows[3]);
    const auto d = xsimd::zip_hi(rows[1], rows[3]);
    rows = {xsimd::zip_lo(a, c), xsimd::zip_hi(a, c), xsimd::zip_lo(b, d), xsimd::zip_hi(b, d)};
  }
}

/// to[r to_stride + c] = from[c from_stride + r]. Whole cache lines are read and written, through a
/// tile: when strides are powers of two, the lines of a tile would evict each other from the cache
/// before all their elements are used.
template <class T>
void transpose_matrix(T* to, std::int64_t to_stride, const T* from, std::int64_t from_stride,
                      std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t side = 64 / static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t lanes = 16 / static_cast<std::int64_t>(sizeof(T));
  alignas(64) std::array<T, static_cast<std::size_t>(side * side)> tile;
  for (std::int64_t r0 = 0; r0 < rows; r0 += side) {
    const std::int64_t height = std::min(rows - r0, side);
    for (std::int64_t c0 = 0; c0 < columns; c0 += side) {
      const std::int64_t width = std::min(columns - c0, side);
      const T* const source = from + c0 * from_stride + r0;
      T* const target = to + r0 * to_stride + c0;
      if (height < side || width < side) {
        for (std::int64_t r = 0; r < height; ++r) {
          for (std::int64_t c = 0; c < width; ++c) {
            target[r * to_stride + c] = source[c * from_stride + r];
          }
        }
        continue;
      }
      for (std::int64_t c = 0; c < side; c += lanes) {
        for (std::int64_t r = 0; r < side; r += lanes) {
          std::array<Register<T>, static_cast<std::size_t>(lanes)> square;
          for (std::int64_t i = 0; i < lanes; ++i) {
            square[static_cast<std::size_t>(i)] =
                Register<T>::load_unaligned(source + (c + i) * from_stride + r);
          }
          exchange<T>(square);
          for (std::int64_t i = 0; i < lanes; ++i) {
            square[static_cast<std::size_t>(i)].store_aligned(tile.data() + (r + i) * side + c);
          }
        }
      }
      for (std::int64_t r = 0; r < side; ++r) {
        std::memcpy(target + r * to_stride, tile.data() + r * side, 64);
      }
    }
  }
}

template <class T>
void copy_line(T* to, const T* from, const Axis& axis) {
  if (axis.to == 1 && axis.from == -1) {
    std::reverse_copy(from - (axis.size - 1), from + 1, to);
    return;
  }
  for (std::int64_t i = 0; i < axis.size; ++i) {
    to[i * axis.to] = from[i * axis.from];
  }
}

template <class T>
void copy_on_this_thread(T* to, const T* from, const Walk& walk) {
  Walk outer = walk;
  const Axis inner = take_axis(outer, walk.rank - 1);
  if (inner.to == 1 && inner.from == 1) {
    const Axis rows = outer.rank == 0 ? Axis{1, 0, 0} : take_axis(outer, outer.rank - 1);
    for_each(to, from, outer,
             [&](T* t, const T* f) { copy_rows(t, rows.to, f, rows.from, rows.size, inner.size); });
    return;
  }
  int unit = -1;
  for (int i = 0; i < outer.rank; ++i) {
    unit = outer.from[static_cast<std::size_t>(i)] == 1 ? i : unit;
  }
  if (inner.to == 1 && unit >= 0) {
    const Axis rows = take_axis(outer, unit);
    for_each(to, from, outer, [&](T* t, const T* f) {
      transpose_matrix(t, rows.to, f, inner.from, rows.size, inner.size);
    });
    return;
  }
  for_each(to, from, outer, [&](T* t, const T* f) { copy_line(t, f, inner); });
}

}  // namespace

template <class T>
void StridedCopy<T>::operator()() const {
  constexpr double least_bytes = 0x1p16;  // per thread: one or two microseconds
  double bytes = sizeof(T);
  for (int i = 0; i < walk.rank; ++i) {
    bytes *= static_cast<double>(walk.sizes[static_cast<std::size_t>(i)]);
  }
  if (bytes == 0) {
    return;
  }
  if (walk.rank == 0) {
    *to = *from;
    return;
  }
  constexpr std::int64_t side = 16;  // of a transposition's tiles, which are not split
  const int threads = rw::detail::worthwhile_threads(bytes, least_bytes);
  rw::detail::run_in_parts(
      walk.sizes[0], side, threads, [&](std::int64_t begin, std::int64_t count) {
        Walk part = walk;
        part.sizes[0] = count;
        copy_on_this_thread(to + begin * walk.to[0], from + begin * walk.from[0], part);
      });
}

template struct StridedCopy<float>;
template struct StridedCopy<double>;
template struct StridedCopy<std::int64_t>;

}  // namespace rw::kernels
