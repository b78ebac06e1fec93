#pragma once

#include <rewind/autograd/tensor.hpp>

namespace rw::detail {

/// The lengths [batch] of a batch's sequences as a dense int64 tensor; `lengths` undefined stands
/// for `longest` everywhere. `who` and `name` say in messages whose argument it is. Throws
/// UsageError for another type, ShapeError for another shape or a length outside [0, longest].
Tensor checked_lengths(const char* who, const char* name, const Tensor& lengths, std::int64_t batch,
                       std::int64_t longest);

}  // namespace rw::detail
