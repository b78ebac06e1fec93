#pragma once

#include <rewind/autograd/tape/detail/arena.hpp>
#include <rewind/autograd/tape/detail/gradient_slot.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

// Note [Gathered products]
// The gradient of a weight (or of some of its columns) that is used at every step is a sum of
// products x_t^T dy_t over few rows each. Their factors are kept until there are enough rows, and
// then multiplied as one product: factors that are adjacent in memory are used without a copy,
// others are copied together first.
//
// A factor may be part of a gradient that still accumulates contributions: the gradient of a sum in
// place is part of its first input's (Note [Products in place]), in which the operations before the
// sum accumulate too. The slot of such a gradient knows which waiting products read it, and gives
// them copies before those values change (keep_read_values).

/// Defers the product x^T dy, a contribution to some columns of a weight's gradient; computes the
/// deferred products once they have enough rows. `source`, unless null, is a slot whose gradient
/// may contain a factor and change before then.
void defer_product(const Place& place, const Tensor& x, const Tensor& dy, Slot* source,
                   Arena& arena);

/// Gives every element a value: computes waiting products, and sets elements without a contribution
/// to zero.
void complete(Slot& slot);

}  // namespace rw::detail

#pragma GCC visibility pop
