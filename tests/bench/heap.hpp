#pragma once

#include <cstdint>

namespace bench {

/// Heap allocations through operator new since the program began, by all libraries.
std::int64_t heap_allocations();

}  // namespace bench
