#pragma once
// One pass over arrays of equal length, one SIMD register of each at a time.

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <rewind/autograd/kernels/simd.hpp>
#include <rewind/autograd/tape/parameter.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

template <class T, std::size_t Reads, std::size_t Writes, class Body, class Load, class Store>
[[gnu::always_inline]] inline void run_register(const std::array<const T*, Reads>& read,
                                                const std::array<T*, Writes>& write, Body& body,
                                                const Load& load, const Store& store) {
  [&]<std::size_t... R, std::size_t... W>(std::index_sequence<R...>, std::index_sequence<W...>) {
    std::array<simd::Batch<T>, Writes> written{load(write[W])...};
    body(load(read[R])..., written[W]...);
    (store(written[W], write[W]), ...);
  }
  (std::make_index_sequence<Reads>{}, std::make_index_sequence<Writes>{});
}

/// Calls body(r..., w...) with one register r of each array of `read` and one w of each array of
/// `write`, over all `n` elements, and stores the resulting w. A null array reads as zeros and is
/// not written; rules use this for options that are off. In the last register, lanes beyond the end
/// of an array hold 0.
template <class T, std::size_t Reads, std::size_t Writes, class Body>
void for_each_register(std::int64_t n, const std::array<const T*, Reads>& read,
                       const std::array<T*, Writes>& write, Body&& body) {
  using V = simd::Batch<T>;
  constexpr auto lanes = static_cast<std::int64_t>(V::size);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    run_register(
        read, write, body,
        [i](const T* from) { return from == nullptr ? V(T(0)) : V::load_unaligned(from + i); },
        [i](const V& value, T* to) {
          if (to != nullptr) {
            value.store_unaligned(to + i);
          }
        });
  }
  if (const auto rest = static_cast<std::size_t>(n - i); rest != 0) {
    run_register(
        read, write, body,
        [=](const T* from) { return from == nullptr ? V(T(0)) : simd::load_part(from + i, rest); },
        [=](const V& value, T* to) {
          if (to != nullptr) {
            simd::store_part(value, to + i, rest);
          }
        });
  }
}

/// Whether body(r...) is finite for all elements of the arrays, read as above.
template <class T, std::size_t Reads, class Body>
bool all_finite(std::int64_t n, const std::array<const T*, Reads>& read, Body&& body) {
  using V = simd::Batch<T>;
  // x - x is 0 for finite x and NaN otherwise, and a NaN in a sum stays.
  V sum(T(0));
  for_each_register<T>(n, read, std::array<T*, 0>{}, [&](const auto&... values) {
    const V x = body(values...);
    sum += x - x;
  });
  return std::isfinite(simd::sum_of_lanes(sum));
}

/// Whether body(g) is finite for all elements g = gradient + weight_decay w of a parameter w.
template <class Body>
bool all_finite(const Parameter& parameter, double weight_decay, Body&& body) {
  return dispatch_floating(parameter.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto decay = static_cast<T>(weight_decay);
    const T* const w = weight_decay == 0 ? nullptr : parameter.value().data<T>();
    return all_finite<T, 2>(
        parameter.value().elements(), {parameter.grad().data<T>(), w},
        [&](const auto& g, const auto& value) { return body(g + decay * value); });
  });
}

}  // namespace rw::detail

#pragma GCC visibility pop
