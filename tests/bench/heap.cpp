#include "heap.hpp"

#include "../support/counted_allocations.hpp"

namespace bench {

std::int64_t heap_allocations() {
  return rw::testing::heap_allocations.load(std::memory_order_relaxed);
}

}  // namespace bench
