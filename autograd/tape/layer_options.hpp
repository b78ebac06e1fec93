#pragma once
// How layers say what their parameters mean. The list of members by which a layer names its
// parameters leads to the layers in it, and each says its own options once,
//
//     template <class Visit> void options(Visit&& visit) const { visit("activation", activation); }
//
// where a value is a bool, a number, a text, an optional of these or an enum with a name_of(). What
// shapes tell already, such as sizes and whether there is a bias, is left out, and so is how values
// started. A model that only puts layers together needs no options() of its own.

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/option_list.hpp>

namespace rw {

namespace detail {

/// Stands in for a visitor in the concept below.
struct AnyOption {
  template <class T>
  void operator()(std::string_view, const T&) const {}
};

}  // namespace detail

/// A layer that lists its options for a visitor.
template <class T>
concept ListsOptions = requires(const T& layer) {
  layer.options(detail::AnyOption{});
};

namespace detail {

/// A type that says what it is called, as cells do: static constexpr const char* name.
template <class T>
concept HasName = requires {
  { T::name } -> std::convertible_to<std::string_view>;
}
&&!std::is_member_pointer_v<decltype(&T::name)>;

/// Collects options, with the parameters that were met already (Note [Tied weights]).
class OptionCollector {
 public:
  template <class L>
  void layer(const std::string& path, const L& layer) {
    if constexpr (HasName<L>) {
      add_option(list, joined(path, "kind"), L::name);
    }
    if constexpr (ListsOptions<L>) {
      layer.options([&](std::string_view name, const auto& value) {
        add_option(list, joined(path, name), value);
      });
    }
  }
  void parameter(const std::string& path, Parameter& parameter);

  OptionList list;

 private:
  ParameterList met_;
};

}  // namespace detail

/// The options of all layers in a layer, such as {"cell/activation", "tanh"}, in the order in which
/// they are listed. "kind" says what a layer is; at a parameter's path, "frozen" is true where
/// training leaves it, and "tied" names the path by which a parameter was reached before.
template <HasParameters L>
OptionList options_of(const L& layer) {
  detail::OptionCollector collector;
  // Its parameters(visit) is not const, since it hands out what optimisers change.
  detail::walk_members("", const_cast<L&>(layer), collector);
  return std::move(collector.list);
}

/// Of single parameters: which are frozen.
OptionList options_of(const ParameterList& list);

/// What options_of() gives, each below `name`; nothing for an object that has no options.
template <class T>
OptionList options_below(std::string_view name, const T& object) {
  OptionList list;
  if constexpr (requires { options_of(object); }) {
    add_options(list, name, options_of(object));
  }
  return list;
}

}  // namespace rw
