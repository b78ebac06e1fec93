#pragma once
// Pooled storage: after warm-up a training step takes every block from here and none from the heap.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rw {

/// Counters of the calling thread's pool.
struct MemoryStatistics {
  std::int64_t live_bytes =
      0;  ///< handed out and not yet returned (a block freed on another thread counts there)
  std::int64_t peak_bytes = 0;    ///< highest live_bytes since the last reset_peak_memory()
  std::int64_t pooled_bytes = 0;  ///< kept for reuse
};

MemoryStatistics memory_statistics();
void reset_peak_memory();

/// Returns the calling thread's unused pooled memory to the system.
void trim_memory();

namespace detail {

// Note [Shared parameters]
// Reference counts are plain integers, because an atomic increment costs more than many a small
// operation. A parameter's value may be read by several threads at once, so its body and block are
// marked `shared` before anyone else can see them, and only then are their counts atomic. Every
// other tensor belongs to one thread at a time.
struct Counted {
  std::uint32_t references = 1;
  bool shared = false;

  void retain() {
    if (shared) [[unlikely]] {
      std::atomic_ref(references).fetch_add(1, std::memory_order_relaxed);
    } else {
      ++references;
    }
  }
  /// True when this was the last reference.
  bool release() {
    if (shared) [[unlikely]] {
      return std::atomic_ref(references).fetch_sub(1, std::memory_order_acq_rel) == 1;
    }
    return --references == 0;
  }
};

/// Header of a block of storage; the data follow it, 64-byte aligned. The version counts mutations
/// (Note [Version counters]).
struct alignas(64) Block : Counted {
  std::uint32_t size_class = 0;
  std::uint32_t version = 0;
  std::size_t capacity = 0;  // bytes of data
  Block* next_free = nullptr;
  // Room for the body of the tensor that the block was allocated for, or for a view's body alone:
  // a new tensor is one allocation, and its description lies beside its data.
  alignas(8) std::byte body[160];

  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
};
static_assert(sizeof(Block) == 32 + sizeof(Block::body));

/// A block of at least `bytes`, contents undefined. Throws std::bad_alloc.
Block* allocate_block(std::size_t bytes);
void recycle_block(Block* block) noexcept;

/// Allocator over the same pool, for containers on hot paths.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  explicit(false) PoolAllocator(const PoolAllocator<U>&) {}
  T* allocate(std::size_t n) { return reinterpret_cast<T*>(allocate_block(n * sizeof(T))->data()); }
  void deallocate(T* p, std::size_t) noexcept { recycle_block(reinterpret_cast<Block*>(p) - 1); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

}  // namespace detail
}  // namespace rw
