#pragma once

#include <string>

#include "problem.hpp"

namespace bench {

/// LibTorch's RNN, LSTM or GRU (which resets after the product). Null where the program was built
/// without LibTorch, or LibTorch has no such cell.
std::unique_ptr<Contestant> make_torch(const Problem& problem, Mode mode);

/// LibTorch's version and the BLAS behind its products; empty where it is missing.
std::string torch_version();

}  // namespace bench
