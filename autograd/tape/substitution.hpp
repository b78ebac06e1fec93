#pragma once

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

namespace detail {

/// Throws ShapeError unless `value` has the shape of the parameter that it replaces.
void check_substitute(std::string_view name, const Tensor& value, const Parameter& parameter);

/// Calls `body(name, parameter, role)` for each parameter below `member`, with the name given by
/// the layer that owns it. A role declared for a layer applies to the matrices in it.
template <class Member, class Body>
void walk_parameters(std::string_view name, Member& member, const Body& body,
                     ParameterRole role = ParameterRole::none, bool inherited = false) {
  if constexpr (std::same_as<Member, Parameter>) {
    if (member.defined()) {
      body(name, member, inherited && member.shape().rank() < 2 ? ParameterRole::none : role);
    }
  } else if constexpr (HasParameters<Member>) {
    member.parameters([&](std::string_view own, auto& child, ParameterRole given = {}) {
      const bool said = given != ParameterRole::none;
      walk_parameters(own, child, body, said ? given : role, !said);
    });
  } else if constexpr (is_optional<Member>) {
    if (member.has_value()) {
      walk_parameters(name, *member, body, role, inherited);
    }
  } else {
    for (auto& element : member) {
      walk_parameters(name, element, body, role, inherited);
    }
  }
}

}  // namespace detail

/// A copy of `layer`, to be run while the original lives, whose parameters have the values
/// `replace(name, value)`: the value itself, or a result of operations on it, such as a weight with
/// dropout, a normalised weight, or one after a step of gradient descent. No value is copied, and
/// gradients flow to the original's parameters (Note [Stand-ins]). `name` is the parameter's own
/// name, such as "w_h"; replace(name, value, role) also gets its ParameterRole.
///
///     LstmCell changed = with_values(cell, [&](std::string_view name, const Tensor& value) {
///       return name == "w_h" ? dropout(value, 0.5, rng) : value;
///     });
template <HasParameters L, class Replace>
L with_values(const L& layer, const Replace& replace) {
  const detail::CopiesShareValues guard;
  L copy = layer;
  const auto replace_one = [&](std::string_view name, Parameter& parameter, ParameterRole role) {
    const Tensor value = [&]() -> Tensor {
      if constexpr (std::invocable<Replace, std::string_view, const Tensor&, ParameterRole>) {
        return replace(name, parameter.value(), role);
      } else {
        return replace(name, parameter.value());
      }
    }();
    if (!value.same_as(parameter.value())) {
      detail::check_substitute(name, value, parameter);
      parameter.stand_for(value);
    }
  };
  detail::walk_parameters("", copy, replace_one);
  return copy;
}

}  // namespace rw
