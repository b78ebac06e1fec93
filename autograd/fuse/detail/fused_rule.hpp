#pragma once

#include <cstdint>

#include <rewind/autograd/fuse/fused_operation.hpp>
#include <rewind/autograd/tape/node.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// What the gradient of a recorded fused operation needs to know, beside the saved tensors.
struct FusedRule {
  const FusedOperation* operation;
  const double* scalars;  // the arguments that are numbers, by argument
  std::uint32_t tensors;  // bit k: argument k is a tensor, and so an input of the node
};

// Note [Plain operations]
// Most operations of a small network are on tensors of one shape without gaps that are not views.
// They take a way of their own, forward and backward, which finds that out once, when they are
// recorded, and then asks no more about rows, regions and broadcasting: what it would cost to ask
// is more than the arithmetic. What is worth several threads goes the general way.

inline bool bit(std::uint64_t bits, std::size_t k) { return ((bits >> k) & 1) != 0; }

/// The gradient rule of every fused operation; node.rule is a FusedRule.
void run_fused_rule(const detail::Node& node, Gradients& d);
/// The same for a plain operation, whose inputs are whole outputs with gradients of their own.
void run_plain_rule(const detail::Node& node, Gradients& d);

}  // namespace rw::pointwise

#pragma GCC visibility pop
