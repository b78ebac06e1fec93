#pragma once

#include <vector>

#include "report.hpp"

namespace bench {

std::vector<Sizes> all_sizes();
std::vector<Sizes> quick_sizes();

/// Compares the contestants' outputs and gradients on small problems, prints the largest
/// differences and throws std::runtime_error if one is above 1e-4.
void check_agreement();

/// Times all contestants on one problem with one and with two threads.
NetworkResult measure_network(Kind kind, Mode mode, const Sizes& sizes, const Effort& effort);

}  // namespace bench
