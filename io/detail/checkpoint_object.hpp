#pragma once
// What io::save and io::load need to know about each object.

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <rewind/autograd/tape/layer_options.hpp>
#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/autograd/tensor/state.hpp>
#include <rewind/autograd/tensor/state_check.hpp>
#include <rewind/io/detail/plain_values.hpp>

namespace rw::io::detail {

/// An object and its name. Paths of its state are relative to the name; those of its options
/// include it.
struct ObjectToSave {
  std::string name;                      // empty: the paths of the state are complete
  const std::type_info* type = nullptr;  // null for single tensors, lists of them and plain values
  OptionList options;
  StateList state;
};

/// How an object receives new values. The values of all objects are checked before any is assigned,
/// so that a failed load changes nothing.
struct ObjectToLoad : ObjectToSave {
  /// Everything that rules out `values`, in the order of `state`, as the object's state.
  std::function<std::vector<std::string>(const StateList& values)> faults;
  /// Makes a new object from `values`, of any shapes, and returns a function, which cannot fail,
  /// that puts it in the place of the old one. Throws CheckpointError. Empty if values are written
  /// into `state`.
  std::function<std::function<void()>(const StateList& values)> remake;
  /// Called when the values have been written into `state`.
  std::function<void()> finish;
};

template <class T>
constexpr bool is_remade = PlainValue<T> || MadeFromState<T>;

/// The state of a recurrent network, if it is more than a single tensor.
template <class T>
constexpr bool is_compound_state = RecurrentState<T> && !std::same_as<T, Tensor>;

template <class T>
concept IsSaveable = std::same_as<std::remove_cvref_t<T>, Tensor> ||
    std::same_as<std::remove_cvref_t<T>, StateList> || is_remade<std::remove_cvref_t<T>> ||
    requires(T& object) {
  { state_of(object) } -> std::convertible_to<StateList>;
};

template <class Object>
StateList state_to_save(Object& object) {
  using Type = std::remove_const_t<Object>;
  if constexpr (std::same_as<Type, Tensor>) {
    return {{"", object}};
  } else if constexpr (std::same_as<Type, StateList>) {
    return object;
  } else if constexpr (PlainValue<Type>) {
    return to_state(object);
  } else if constexpr (MadeFromState<Type>) {
    return object.to_state();
  } else {
    return state_of(object);
  }
}

template <class Object>
void describe(ObjectToSave& described, std::string_view name, const Object& object) {
  described.name = name;
  if constexpr (!std::same_as<Object, Tensor> && !std::same_as<Object, StateList> &&
                !PlainValue<Object>) {
    described.type = &typeid(object);
    described.options = options_below(name, object);
  }
}

template <class Object>
ObjectToSave object_to_save(std::string_view name, Object& object) {
  ObjectToSave saved;
  describe(saved, name, object);
  saved.state = state_to_save(object);
  return saved;
}

/// `object` must live until it is loaded.
template <class Object>
ObjectToLoad object_to_load(std::string_view name, Object& object) {
  // A const Tensor and a const list give access to storage that may change.
  static_assert(!std::is_const_v<Object> || std::same_as<Object, const Tensor> ||
                    std::same_as<Object, const StateList>,
                "load: the object is const; a checkpoint can only be loaded into one that may "
                "change");
  ObjectToLoad loaded;
  describe(loaded, name, object);
  if constexpr (is_compound_state<Object>) {
    // These tensors may share memory with each other, with outputs and with a learned initial
    // state. So the values go into new tensors, which replace the old ones once everything is
    // loaded.
    auto fresh = std::make_shared<Object>(object);
    for_each_tensor(*fresh, [](Tensor& tensor) { tensor = tensor.detach().clone(); });
    loaded.state = state_of(*fresh);
    loaded.finish = [fresh, &object] { object = std::move(*fresh); };
  } else {
    loaded.state = state_to_save(object);
  }
  if constexpr (is_remade<Object>) {
    loaded.remake = [&object](const StateList& values) -> std::function<void()> {
      std::shared_ptr<Object> made;
      if constexpr (PlainValue<Object>) {
        made = std::make_shared<Object>(from_state<Object>(values));
      } else {
        made = std::make_shared<Object>(Object::from_state(values));
      }
      return [made, &object] { object = std::move(*made); };
    };
  } else {
    loaded.faults = [name = loaded.name, &object](const StateList& values) {
      return state_faults(name, object, values);
    };
  }
  return loaded;
}

inline void append_to_save(std::vector<ObjectToSave>&) {}

template <class Object, class... Rest>
void append_to_save(std::vector<ObjectToSave>& objects, std::string_view name, Object&& object,
                    Rest&&... rest) {
  static_assert(IsSaveable<Object>,
                "save: a checkpoint cannot hold an object of this type; see io::Saveable");
  if constexpr (IsSaveable<Object>) {  // or more errors follow
    objects.push_back(object_to_save(name, object));
  }
  append_to_save(objects, rest...);
}

/// Pairs of name and object.
template <class... Named>
std::vector<ObjectToSave> objects_to_save(Named&&... named) {
  std::vector<ObjectToSave> objects;
  append_to_save(objects, named...);
  return objects;
}

inline void append_to_load(std::vector<ObjectToLoad>&) {}

template <class Object, class... Rest>
void append_to_load(std::vector<ObjectToLoad>& objects, std::string_view name, Object&& object,
                    Rest&&... rest) {
  static_assert(IsSaveable<Object>,
                "load: a checkpoint cannot hold an object of this type; see io::Saveable");
  static_assert(std::is_lvalue_reference_v<Object> || !is_remade<Object>,
                "load: a temporary cannot be loaded into; give a variable");
  if constexpr (IsSaveable<Object>) {  // or more errors follow
    objects.push_back(object_to_load(name, object));
  }
  append_to_load(objects, std::forward<Rest>(rest)...);
}

/// Pairs of name and object.
template <class... Named>
std::vector<ObjectToLoad> objects_to_load(Named&&... named) {
  std::vector<ObjectToLoad> objects;
  append_to_load(objects, std::forward<Named>(named)...);
  return objects;
}

/// The states of all objects, of ObjectToSave or ObjectToLoad, as one list with complete paths.
template <class Objects>
StateList whole_state(const Objects& objects) {
  StateList whole;
  for (const ObjectToSave& object : objects) {
    for (const StateEntry& entry : object.state) {
      whole.push_back({rw::detail::joined(object.name, entry.path), entry.tensor, entry.range});
    }
  }
  return whole;
}

}  // namespace rw::io::detail
