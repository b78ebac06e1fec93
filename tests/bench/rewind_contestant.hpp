#pragma once

#include "problem.hpp"

namespace bench {

/// A network with random weights and a random batch, the same at every call.
Problem make_problem(Kind kind, const Sizes& sizes);

/// Rewind's network of that kind, with the weights of `problem`.
std::unique_ptr<Contestant> make_rewind(const Problem& problem, Mode mode);

/// The most bytes of tensors and tape alive at once during a step, weights included.
std::int64_t peak_bytes(Contestant& contestant);

}  // namespace bench
