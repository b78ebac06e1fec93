#pragma once
// Which parameters a step or a clipping touches, and what it says when their gradients cannot be
// used.

#include <string_view>

#include <rewind/autograd/tape/parameter_list.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// Frozen parameters, and those that the last backward pass did not reach, are left alone.
inline bool takes_part(const Parameter& parameter) {
  return parameter.trainable() && parameter.has_grad();
}

/// Throws UsageError when no parameter has a gradient: it would be a step that does nothing, and
/// nobody would notice the mistake behind it.
void check_any_gradient(std::string_view who, const ParameterList& list);

/// Throws UsageError unless the gradient is dense and has the value's shape and type:
/// mutable_grad() lets anything in.
void check_gradient(std::string_view who, const NamedParameter& entry);

/// Throws the NonFiniteError of `who` for a parameter whose gradient, or what the rule makes of it,
/// is not finite. `when` is put after the finding, such as " at step 17".
[[noreturn]] void fail_non_finite(std::string_view who, const NamedParameter& entry,
                                  std::string_view when);

}  // namespace rw::detail

#pragma GCC visibility pop
