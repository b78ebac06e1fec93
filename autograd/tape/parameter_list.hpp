#pragma once
// How layers name their parameters. A layer lists its members once,
//
//     template <class Visit> void parameters(Visit&& visit) { visit("w_x", w_x); visit("cell",
//     cell); }
//
// where a member is a Parameter, another layer, or a vector, array or optional of these. This one
// list serves optimisers, checkpoints, counting and summaries. A member's role follows it:
// visit("u", u, ParameterRole::recurrent).
//
// Note [Tied weights]
// A parameter that is reached twice, such as an embedding's table that is also visited as the
// output layer's weight, is one parameter: it is listed once, under the path by which it is reached
// first, which is its name. A checkpoint holds it only there, so the same model can load it. A
// checkpoint that was saved when the two were separate parameters has one more entry, which load()
// reports as unexpected unless told to ignore it.

#include <concepts>
#include <cstddef>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tensor/state.hpp>

namespace rw {

/// A parameter and its path in its model, such as "cell/w_x". It shares the parameter, so the list
/// stays valid when the model is moved or destroyed. A copy of the model has separate parameters,
/// which are not in this list.
struct NamedParameter {
  std::string path;
  ParameterHandle parameter;  ///< made from a pointer: {"head/weight", &head.weight}
};
using ParameterList = std::vector<NamedParameter>;

/// What a layer declares about a parameter that it lists; declared for a layer, it applies to all
/// matrices in it.
enum class ParameterRole {
  none,
  /// A matrix [units, ...] through which a cell reads its state: see RecurrentDropout. A parameter
  /// called "w_h" has this role by default.
  recurrent,
};

namespace detail {

/// A sample visitor, for the concept below.
struct AnyVisitor {
  template <class Member>
  void operator()(std::string_view, Member&, ParameterRole = ParameterRole::none) const {}
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// The entry of this very parameter (Note [Tied weights]); null if the list does not have it.
const NamedParameter* find_parameter(const ParameterList& list, const ParameterHandle& parameter);

}  // namespace detail

/// A type that lists its parameters.
template <class T>
concept HasParameters = requires(T& layer) {
  layer.parameters(detail::AnyVisitor{});
};

namespace detail {

/// Visits all that `member` lists, depth first: visitor.layer(path, layer) before the layer's
/// members, and visitor.parameter(path, parameter).
template <class Member, class Visitor>
void walk_members(const std::string& path, Member& member, Visitor& visitor) {
  if constexpr (std::same_as<Member, Parameter>) {
    visitor.parameter(path, member);
  } else if constexpr (HasParameters<Member>) {
    visitor.layer(path, member);
    member.parameters([&](std::string_view name, auto& child, ParameterRole = {}) {
      walk_members(joined(path, name), child, visitor);
    });
  } else if constexpr (is_optional<Member>) {
    if (member.has_value()) {
      walk_members(path, *member, visitor);
    }
  } else if constexpr (std::ranges::range<Member>) {
    std::size_t i = 0;
    for (auto& element : member) {
      walk_members(joined(path, i++), element, visitor);
    }
  } else {
    static_assert(
        HasParameters<Member>,
        "parameters: a member must be a Parameter, a layer, or a range or optional of these");
  }
}

/// Lists parameters and names them after their paths.
struct ParameterCollector {
  template <class L>
  void layer(const std::string&, const L&) {}
  void parameter(const std::string& path, Parameter& parameter);

  ParameterList list;
};

inline void collect_each(ParameterCollector&) {}

template <class Member, class... Rest>
void collect_each(ParameterCollector& collector, std::string_view name, Member& member,
                  Rest&... rest) {
  walk_members(std::string(name), member, collector);
  collect_each(collector, rest...);
}

}  // namespace detail

/// All parameters of a layer with their paths, in the order in which the layer lists them, each
/// once (Note [Tied weights]). Names each parameter after its path.
template <HasParameters L>
ParameterList parameters(L& layer) {
  detail::ParameterCollector collector;
  detail::walk_members("", layer, collector);
  return std::move(collector.list);
}

/// The same for several layers or parameters, each preceded by its name, as in io::save():
///
///     Adam optimizer(parameters("lstm", lstm, "head", head));
template <class Member, class... Rest>
ParameterList parameters(std::string_view name, Member& member, Rest&&... rest) {
  detail::ParameterCollector collector;
  detail::collect_each(collector, name, member, rest...);
  return std::move(collector.list);
}

namespace detail {

/// The parameters of a layer, for reading. Its parameters(visit) is not const, because optimisers
/// change what it visits.
template <HasParameters L>
ParameterList read_only_parameters(const L& layer) {
  return parameters(const_cast<L&>(layer));
}

}  // namespace detail

/// Number of trainable values.
std::int64_t count(const ParameterList& list);
template <HasParameters L>
std::int64_t count(const L& layer) {
  return count(detail::read_only_parameters(layer));
}

/// Clears all gradients, so that the next backward pass starts from zero.
void zero_grad(const ParameterList& list);
template <HasParameters L>
void zero_grad(L& layer) {
  zero_grad(parameters(layer));
}

/// Excludes these parameters from training: a frozen parameter is a constant to every tape, and
/// optimisers skip it. unfreeze() reverts this.
///
///     freeze(model.encoder);
void freeze(const ParameterList& list);
template <HasParameters L>
void freeze(L& layer) {
  freeze(parameters(layer));
}
/// Includes these parameters in training again.
void unfreeze(const ParameterList& list);
template <HasParameters L>
void unfreeze(L& layer) {
  unfreeze(parameters(layer));
}

/// The parameters' values, for checkpoints.
StateList state_of(const ParameterList& list);
template <HasParameters L>
StateList state_of(const L& layer) {
  return state_of(detail::read_only_parameters(layer));
}

}  // namespace rw
