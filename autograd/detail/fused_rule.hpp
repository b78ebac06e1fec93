#pragma once

#include <cstdint>

#include <rewind/autograd/detail/node.hpp>
#include <rewind/autograd/fused_operation.hpp>

namespace rw::pointwise {

/// What the gradient of a recorded fused operation needs to know, beside the saved tensors.
struct FusedRule {
  const FusedOperation* operation;
  std::uint32_t tensors;  // bit k: argument k is a tensor, and so an input of the node
  const double* scalars;  // the arguments that are numbers, by argument
};

inline bool bit(std::uint64_t bits, std::size_t k) { return ((bits >> k) & 1) != 0; }

/// The gradient rule of every fused operation; node.rule is a FusedRule.
void run_fused_rule(const detail::Node& node, Gradients& d);

}  // namespace rw::pointwise
