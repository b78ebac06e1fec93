#pragma once

#include "problem.hpp"

namespace bench {

/// Nothing but the matrix products that the problem asks for, each in the fastest way that was
/// measured when this was made: dnnl_sgemm or a matmul primitive with packed weights (packing not
/// counted), by one thread or by `threads`. No cell can be faster without computing less.
std::unique_ptr<Contestant> make_product_bound(const Problem& problem, Mode mode, int threads);

}  // namespace bench
