#pragma once
// What an object was made with, as far as it says what its numbers mean: an activation, a decay, a
// schedule. Tensors of the same names and shapes can mean different things, and a checkpoint that
// holds these texts beside them can tell.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <rewind/autograd/tensor/state.hpp>

namespace rw {

/// One option of an object: {"cell/activation", "tanh"}. Paths have components separated by '/';
/// "kind" says what the object is.
struct OptionEntry {
  std::string path;
  std::string value;
  friend bool operator==(const OptionEntry&, const OptionEntry&) = default;
};
using OptionList = std::vector<OptionEntry>;

/// Optimisers, batches and whatever else has options() of its own. Layers list theirs for a
/// visitor: see layer_options.hpp.
template <class T>
concept SaysOptions = requires(const T& object) {
  { object.options() } -> std::convertible_to<OptionList>;
};

template <SaysOptions T>
OptionList options_of(const T& object) {
  return object.options();
}

namespace detail {

/// An enum whose values have names: `const char* name_of(MyEnum)` beside it.
template <class T>
concept NamedValue = std::is_enum_v<T> && requires(T value) {
  { name_of(value) } -> std::convertible_to<std::string_view>;
};

/// The shortest text that reads back as exactly this number.
std::string number_text(double value);
std::string number_text(float value);

}  // namespace detail

/// An option's value as text: true or false, whole numbers, the shortest text that reads back
/// exactly as the number, the name that name_of() gives an enum's value, "none" for an empty
/// optional.
template <class T>
std::string option_text(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::floating_point<T>) {
    return detail::number_text(value);
  } else if constexpr (detail::NamedValue<T>) {
    return std::string(name_of(value));
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return std::string(std::string_view(value));
  } else if constexpr (requires { value.has_value(); }) {
    return value.has_value() ? option_text(*value) : "none";
  } else {
    static_assert(!std::same_as<T, T>,
                  "options: a value must be a bool, a number, a text, an optional of these or an "
                  "enum; an enum needs `const char* name_of(MyEnum)` in its own namespace");
    return {};
  }
}

/// Appends {path, value as text}.
template <class T>
void add_option(OptionList& list, std::string_view path, const T& value) {
  list.push_back({std::string(path), option_text(value)});
}

/// Appends the options of a part, each below `name`.
void add_options(OptionList& list, std::string_view name, const OptionList& part);

/// One option that differs, with the kind of the object that it belongs to, empty where that is
/// not said.
struct OptionDifference {
  std::string path;
  std::optional<std::string> saved;  ///< empty: not said
  std::optional<std::string> now;
  std::string saved_kind;
  std::string now_kind;
};

/// All options that two lists do not have in common or have with different values, but for those
/// that `allow_different` names by their whole paths, in which '*' stands for any text: "model/*/
/// activation", "*dropout*". Throws UsageError for one that fits no option of either list.
std::vector<OptionDifference> differing_options(
    const OptionList& saved, const OptionList& now,
    const std::vector<std::string>& allow_different = {});

/// All differences in one sentence, object by object: "optimizer: saved by adam {beta1 0.9}, loaded
/// into adamw {beta1 0.8}". Texts may come from anywhere: long ones are cut, and control characters
/// shown as '?'.
std::string to_string(const std::vector<OptionDifference>& differences);

}  // namespace rw
