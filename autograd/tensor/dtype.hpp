#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rw {

/// Element type of a tensor. `int64` holds indices and is never differentiated.
enum class DType : std::uint8_t { float32, float64, int64 };

constexpr std::size_t size_of(DType type) { return type == DType::float32 ? 4 : 8; }

constexpr bool is_floating(DType type) { return type != DType::int64; }

constexpr const char* name_of(DType type) {
  switch (type) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::int64:
      return "int64";
  }
  return "unknown";
}

template <class T>
concept Element =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::int64_t>;

template <Element T>
inline constexpr DType dtype_of = std::is_same_v<T, float>    ? DType::float32
                                  : std::is_same_v<T, double> ? DType::float64
                                                              : DType::int64;

/// Calls `body(T{})` with T = float or double; `type` must be floating.
template <class Body>
decltype(auto) dispatch_floating(DType type, Body&& body) {
  if (type == DType::float64) {
    return body(double{});
  }
  return body(float{});
}

/// Calls `body(T{})` with the element type that `type` names.
template <class Body>
decltype(auto) dispatch(DType type, Body&& body) {
  if (type == DType::int64) {
    return body(std::int64_t{});
  }
  return dispatch_floating(type, static_cast<Body&&>(body));
}

}  // namespace rw
