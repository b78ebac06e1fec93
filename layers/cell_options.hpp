#pragma once

#include <cstdint>

#include <rewind/autograd/tensor/dtype.hpp>

namespace rw {

/// Options of a cell without further ones.
struct CellOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  bool bias = true;
  DType dtype = DType::float32;
};

}  // namespace rw
