#pragma once

#include <string>

namespace rw::kernels {

/// What the last bits of results depend on beside the numbers: "onednn 2.6.0 avx512, compiled for
/// avx2, 2 threads". The threads are those of the calling thread.
std::string arithmetic();

}  // namespace rw::kernels
