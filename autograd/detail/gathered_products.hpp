#pragma once

#include <rewind/autograd/detail/arena.hpp>
#include <rewind/autograd/detail/gradient_slot.hpp>

namespace rw::detail {

// Note [Gathered products]
// The gradient of a weight (or of some of its columns) that is used at every step is a sum of
// products x_t^T dy_t over few rows each. They are kept until enough rows have come together, and
// then computed as one product over all of them: factors that follow each other in memory are used
// where they are, others are copied together first.

/// Keeps the product x^T dy for later, which belongs to some columns of a weight's gradient;
/// computes what has gathered when it is enough.
void defer_product(const Place& place, const Tensor& x, const Tensor& dy, Arena& arena);

/// Gives every element a value: computes waiting products; what no contribution has touched becomes
/// zero.
void complete(Slot& slot);

}  // namespace rw::detail
