#pragma once

#include <cstdint>

namespace bench {

/// Allocations from the heap through operator new since the program began, by whatever library.
std::int64_t heap_allocations();

}  // namespace bench
