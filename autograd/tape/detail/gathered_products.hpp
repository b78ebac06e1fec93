#pragma once

#include <rewind/autograd/tape/detail/arena.hpp>
#include <rewind/autograd/tape/detail/gradient_slot.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

// Note [Gathered products]
// The gradient of a weight (or of some of its columns) that is used at every step is a sum of
// products x_t^T dy_t over few rows each. They are kept until enough rows have come together, and
// then computed as one product over all of them: factors that follow each other in memory are used
// where they are, others are copied together first.
//
// A factor may lie in a gradient that still receives contributions: that of a sum in place is part
// of its first input's (Note [Products in place]), and so is what operations before the sum add to
// that input's gradient. The slot of such a gradient knows which waiting products read it; before
// what they read changes, they get copies (keep_read_values).

/// Keeps the product x^T dy for later, which belongs to some columns of a weight's gradient;
/// computes what has gathered when it is enough. `source`, unless null, is the slot in whose
/// gradient a factor may lie that changes before.
void defer_product(const Place& place, const Tensor& x, const Tensor& dy, Slot* source,
                   Arena& arena);

/// Gives every element a value: computes waiting products; what no contribution has touched becomes
/// zero.
void complete(Slot& slot);

}  // namespace rw::detail

#pragma GCC visibility pop
