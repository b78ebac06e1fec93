#pragma once
// Numbers, flags and texts as states.

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include <rewind/autograd/tensor/state.hpp>
#include <rewind/io/error.hpp>

namespace rw::io::detail {

/// What can be saved beside layers and optimisers: a number such as an epoch, a flag, a text such
/// as JSON.
template <class T>
concept PlainValue = std::is_arithmetic_v<T> || std::same_as<T, std::string>;

/// One number: int64 for integers and flags, otherwise float64.
StateList number_state(std::int64_t value);
StateList number_state(double value);
/// One int64 for each byte.
StateList text_state(const std::string& text);

/// Throw CheckpointRefused unless the state is one number of that type, or a list of bytes.
std::int64_t whole_number(const StateList& values, std::int64_t least, std::int64_t greatest);
double real_number(const StateList& values);
std::string text(const StateList& values);

template <PlainValue T>
StateList to_state(const T& value) {
  if constexpr (std::same_as<T, std::string>) {
    return text_state(value);
  } else if constexpr (std::is_integral_v<T>) {
    return number_state(static_cast<std::int64_t>(value));
  } else {
    return number_state(static_cast<double>(value));
  }
}

template <PlainValue T>
T from_state(const StateList& values) {
  if constexpr (std::same_as<T, std::string>) {
    return text(values);
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    // As int64, the greatest values of uint64 are negative.
    constexpr bool any = sizeof(T) == sizeof(std::int64_t);
    constexpr auto least = static_cast<std::int64_t>(Limits::min());
    constexpr auto greatest = static_cast<std::int64_t>(Limits::max());
    using All = std::numeric_limits<std::int64_t>;
    return static_cast<T>(
        whole_number(values, any ? All::min() : least, any ? All::max() : greatest));
  } else {
    return static_cast<T>(real_number(values));
  }
}

}  // namespace rw::io::detail
