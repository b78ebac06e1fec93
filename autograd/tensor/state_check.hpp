#pragma once
// Whether values from a file can be those of an object, asked before any of them is assigned.

#include <string>
#include <string_view>
#include <vector>

#include <rewind/autograd/tensor/state.hpp>

namespace rw {

/// An object that can tell more than the range of each entry of its state: what must not be zero
/// together, what two entries must have to do with each other. `fault_in` gets the entries of
/// state(), in their order, with other tensors in the place of its own, and says what is wrong with
/// them, beginning with an entry's path; an empty text when nothing is. It changes nothing.
template <class T>
concept FindsFaults = requires(const T& object, const StateList& values) {
  { object.fault_in(values) } -> std::same_as<std::string>;
};

namespace detail {
void append_range_faults(std::vector<std::string>& faults, std::string_view name,
                         const StateList& values);
}  // namespace detail

/// All that keeps `values` from being the state of `object`, which is called `name` here, such as
/// "optimizer/learning_rate is -1, expected at least 0 and finite". `values` are the entries of
/// state_of(object), in their order, with other tensors in the place of its own. Empty when nothing
/// does.
template <class T>
std::vector<std::string> state_faults(std::string_view name, const T& object,
                                      const StateList& values) {
  std::vector<std::string> faults;
  detail::append_range_faults(faults, name, values);
  if constexpr (FindsFaults<T>) {
    // Of values each of which can be: it may count on that.
    if (faults.empty()) {
      std::string fault = object.fault_in(values);
      if (!fault.empty()) {
        faults.push_back(detail::joined(std::string(name), fault));
      }
    }
  }
  return faults;
}

}  // namespace rw
