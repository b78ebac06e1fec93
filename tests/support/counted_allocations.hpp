#pragma once
// Replaces the global operators new and delete of the program that includes this, to count heap
// allocations.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace rw::testing {

inline std::atomic<std::int64_t> heap_allocations{0};

inline void* counted_allocation(std::size_t bytes, std::size_t alignment) {
  heap_allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  return memory == nullptr ? throw std::bad_alloc() : memory;
}

}  // namespace rw::testing

// If these were inlined, GCC would take them for calls of free() on memory from operator new.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return rw::testing::counted_allocation(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return rw::testing::counted_allocation(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
