#pragma once

#include "problem.hpp"

namespace bench {

/// Only the matrix products of the problem, each computed in the fastest way, as measured when this
/// object was made: dnnl_sgemm or a matmul primitive with packed weights (packing not counted),
/// with one thread or with `threads`. No cell can be faster without computing less.
std::unique_ptr<Contestant> make_product_bound(const Problem& problem, Mode mode, int threads);

}  // namespace bench
