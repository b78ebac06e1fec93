#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/autograd/tensor/value_range.hpp>

namespace rw {

/// One value in a checkpoint. The tensor shares its storage with the object that owns it: saving
/// reads it; loading writes into it, once state_check.hpp has found no fault in the new values.
/// Path components are separated by '/'.
struct StateEntry {
  std::string path;
  Tensor tensor;
  ValueRange range = any_values;  ///< what its numbers can be
};
using StateList = std::vector<StateEntry>;

/// Optimisers, random number generators and any other type with a state() of tensors.
template <class T>
concept HasState = requires(T& object) {
  { object.state() } -> std::convertible_to<StateList>;
};

template <HasState T>
StateList state_of(T& object) {
  return object.state();
}

/// An object whose state has other shapes from time to time, such as a History: nothing that is
/// there could be written into. to_state() copies its values, and from_state() makes another object
/// of the same entries with tensors of any lengths; it throws CheckpointError where there can be
/// none. Such an object is restored by moving the new one into its place.
template <class T>
concept MadeFromState = std::is_nothrow_move_assignable_v<T> &&
    requires(const T& object, const StateList& values) {
  { object.to_state() } -> std::same_as<StateList>;
  { T::from_state(values) } -> std::same_as<T>;
};

namespace detail {

inline std::string joined(const std::string& path, std::string_view name) {
  return path.empty() || name.empty() ? path + std::string(name) : path + "/" + std::string(name);
}
inline std::string joined(const std::string& path, std::size_t index) {
  return joined(path, std::to_string(index));
}

/// Used as the path if none is needed.
struct NoPath {};
constexpr NoPath joined(NoPath, std::string_view) { return {}; }
constexpr NoPath joined(NoPath, std::size_t) { return {}; }

/// A sample visitor of a state's parts, for concepts.
struct AnyPart {
  template <class Part>
  void operator()(std::string_view, Part&) const {}
};

/// A state that lists its parts, tensors or further states, with their names.
template <class State>
concept NamesParts = requires(State& state) {
  state.tensors(AnyPart{});
};
/// A state that returns pointers to its tensors.
template <class State>
concept GivesPointers = requires(State& state) {
  { **state.tensors().begin() } -> std::same_as<Tensor&>;
};

template <class T>
constexpr bool is_recurrent_state() {
  if constexpr (std::same_as<T, Tensor> || NamesParts<T> || GivesPointers<T>) {
    return true;
  } else if constexpr (requires(T & list) {
                         { *list.begin() } -> std::same_as<typename T::value_type&>;
                       }) {
    return is_recurrent_state<typename T::value_type>();
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (is_recurrent_state<std::tuple_element_t<I, T>>() && ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
  } else {
    return false;
  }
}

/// Calls `body(path, tensor)` for every tensor of a state, in its order.
template <class Path, class State, class Body>
void walk_state(const Path& path, State& state, Body&& body) {
  if constexpr (std::same_as<State, Tensor>) {
    body(path, state);
  } else if constexpr (NamesParts<State>) {
    state.tensors(
        [&](std::string_view name, auto& part) { walk_state(joined(path, name), part, body); });
  } else if constexpr (GivesPointers<State>) {
    std::size_t i = 0;
    for (Tensor* tensor : state.tensors()) {
      body(joined(path, i++), *tensor);
    }
  } else if constexpr (requires { state.begin(); }) {
    std::size_t i = 0;
    for (auto& element : state) {
      walk_state(joined(path, i++), element, body);
    }
  } else {
    std::size_t i = 0;
    std::apply([&](auto&... element) { (walk_state(joined(path, i++), element, body), ...); },
               state);
  }
}

}  // namespace detail

/// What a recurrent layer carries from one step to the next: a tensor, a struct that lists its
/// tensors, or any nesting of vectors, pairs and tuples of these. A struct either names its tensors
/// and nested states, or returns pointers to its tensors, which are then called 0, 1 and so on:
///
///     template <class Visit> void tensors(Visit&& visit) { visit("h", h); visit("c", c); }
///     auto tensors() { return std::array{&h, &c}; }
template <class T>
concept RecurrentState = detail::is_recurrent_state<T>();

/// Calls `body(tensor)` for every tensor of a state.
template <RecurrentState State, class Body>
void for_each_tensor(State& state, Body&& body) {
  detail::walk_state(detail::NoPath{}, state,
                     [&](detail::NoPath, Tensor& tensor) { body(tensor); });
}

/// The tensors of a state with their paths, such as "0/forward/h", for saving. They may share
/// memory with each other and with outputs, so io::load replaces a state instead of writing into
/// it.
template <RecurrentState State>
StateList state_of(State state) {
  StateList list;
  detail::walk_state(std::string(), state, [&](const std::string& path, const Tensor& tensor) {
    list.push_back({path, tensor});
  });
  return list;
}

}  // namespace rw
