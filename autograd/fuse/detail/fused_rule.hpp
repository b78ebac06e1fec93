#pragma once

#include <cstdint>

#include <rewind/autograd/fuse/fused_operation.hpp>
#include <rewind/autograd/tape/node.hpp>

#pragma GCC visibility push(hidden)

namespace rw::pointwise {

/// What the gradient rule of a fused operation needs besides the saved tensors.
struct FusedRule {
  const FusedOperation* operation;
  const double* scalars;  // the arguments that are numbers, by argument
  std::uint32_t tensors;  // bit k: argument k is a tensor, and so an input of the node
};

// Note [Fast path of fused operations]
// Most operations of a small network are on contiguous tensors of one shape that are not views.
// They take a fast path, forward and backward. It is chosen once, when the operation is recorded,
// and skips the checks of rows, regions and broadcasting, which cost more than the arithmetic. Work
// that is worth several threads takes the general path.

inline bool bit(std::uint64_t bits, std::size_t k) { return ((bits >> k) & 1) != 0; }

/// The gradient rule of every fused operation; node.rule is a FusedRule.
void run_fused_rule(const detail::Node& node, Gradients& d);
/// The fast path, for inputs that are whole outputs with their own gradients.
void run_plain_rule(const detail::Node& node, Gradients& d);

}  // namespace rw::pointwise

#pragma GCC visibility pop
