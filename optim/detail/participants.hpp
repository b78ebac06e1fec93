#pragma once
// Which parameters a step or clipping changes, and the errors for gradients that cannot be used.

#include <string_view>

#include <rewind/autograd/tape/parameter_list.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// False for frozen parameters and for those that the last backward pass did not reach.
inline bool takes_part(const Parameter& parameter) {
  return parameter.trainable() && parameter.has_grad();
}

/// Throws UsageError when no parameter has a gradient: the step would do nothing, and hide the
/// mistake that caused it.
void check_any_gradient(std::string_view who, const ParameterList& list);

/// Throws UsageError unless the gradient is dense and has the value's shape and type, which
/// mutable_grad() does not check.
void check_gradient(std::string_view who, const NamedParameter& entry);

/// Throws NonFiniteError, naming `who`, for a parameter whose gradient, or a value that the rule
/// computes from it, is not finite. `when` follows the description of the problem, such as " at
/// step 17".
[[noreturn]] void fail_non_finite(std::string_view who, const NamedParameter& entry,
                                  std::string_view when);

}  // namespace rw::detail

#pragma GCC visibility pop
