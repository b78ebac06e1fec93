#pragma once

#include <functional>

#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>

namespace rw::testing {

/// A function of one tensor that is differentiated.
using Loss = std::function<Tensor(const Tensor&)>;

/// Gradient of the sum of f(x), by the rules that run at once or by those that are recorded.
inline Tensor gradient_of(const Tensor& x, const Loss& f, bool recorded = false) {
  Tape tape;
  const Tensor watched = tape.watch(x);
  return tape.gradient(sum(f(watched)), {watched}, {.create_graph = recorded})[0];
}

}  // namespace rw::testing
