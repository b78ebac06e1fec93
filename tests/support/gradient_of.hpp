#pragma once

#include <functional>

#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>

namespace rw::testing {

/// A function of one tensor, to be differentiated.
using Loss = std::function<Tensor(const Tensor&)>;

/// Gradient of the sum of f(x), by the rules that run at once or by the recorded ones.
inline Tensor gradient_of(const Tensor& x, const Loss& f, bool recorded = false) {
  Tape tape;
  const Tensor watched = tape.watch(x);
  return tape.gradient(sum(f(watched)), {watched}, {.create_graph = recorded})[0];
}

}  // namespace rw::testing
