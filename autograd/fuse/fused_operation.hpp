#pragma once

#include <cstdint>
#include <span>

#include <rewind/autograd/fuse/expression.hpp>
#include <rewind/autograd/tape/operand.hpp>

namespace rw::pointwise {

struct Block;

/// The compiled loop of a formula for one type.
using Kernel = void (*)(const Block&);

/// A formula, its gradient, and the compiled loops of both.
struct FusedOperation {
  const Program* program;
  const Program* derivative;
  std::uint32_t forward_work;  // of one element (work_of)
  std::uint32_t backward_work;
  std::uint64_t derivative_reads;  // bit k: the gradient reads its argument k
  std::uint64_t slopes;            // bit k: argument k has a gradient that is not 0 everywhere
  Kernel forward32;
  Kernel forward64;
  Kernel backward32;
  Kernel backward64;

  template <class T>
  Kernel forward() const {
    return sizeof(T) == 4 ? forward32 : forward64;
  }
  template <class T>
  Kernel backward() const {
    return sizeof(T) == 4 ? backward32 : backward64;
  }
};

/// Runs `operation` on tensors and numbers, records it as `name`, and puts its results into
/// `results`.
void apply_fused(const char* name, const FusedOperation& operation,
                 std::span<const Operand> arguments, std::span<Tensor> results);

}  // namespace rw::pointwise
