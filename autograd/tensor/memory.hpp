#pragma once
// Pooled storage: after a warm-up, a training step allocates every block here and none from the
// heap.

#include <cstddef>
#include <cstdint>

#include <rewind/autograd/tensor/reference_count.hpp>

namespace rw {

/// Counters of the calling thread's pool. Memory that this thread allocated counts here until it is
/// freed, even on another thread.
struct MemoryStatistics {
  std::int64_t live_bytes = 0;    ///< allocated and not yet freed
  std::int64_t peak_bytes = 0;    ///< highest live_bytes since the last reset_peak_memory()
  std::int64_t pooled_bytes = 0;  ///< free, kept for reuse
};

MemoryStatistics memory_statistics();
void reset_peak_memory();

/// Returns the calling thread's unused pooled memory to the system.
void trim_memory();

namespace detail {

// Note [Lent memory]
// mutable_data() returns a pointer that the caller may keep and write through later, which no
// version counter sees (Note [Version counters]). So no copy is cached of lent memory (Note [Packed
// weights]), nor of borrowed memory (Tensor::view_of). A result of an operation, a new parameter,
// and a parameter that an optimiser or assign() has written are no longer lent: to write to them,
// call mutable_data() again.

/// Header of a block of storage; the data follow it, 64-byte aligned. The version counts mutations
/// (Note [Version counters]).
struct alignas(64) Block : Counted {
  explicit Block(const Owner& owner) noexcept : Counted(owner) {}

  std::uint16_t size_class = 0;
  bool lent = false;      // Note [Lent memory]
  bool borrowed = false;  // the data are in the user's memory
  std::uint32_t version = 0;
  Block* next = nullptr;  // in a list of free or queued blocks
  // Holds the body of the tensor that the block was allocated for, or only a view's body. So a new
  // tensor is one allocation, with its metadata next to its data.
  alignas(8) std::byte body[160];

  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }

  /// Whether nobody else can read the data. Borrowed data can be read without a handle.
  bool is_unique() const noexcept { return !borrowed && Counted::is_unique(); }

 private:
  friend struct Pool;
};
static_assert(sizeof(Block) == 32 + sizeof(Block::body));

inline Counted::Counted(const Block& block) noexcept {
  restart(block.owner());
  if (block.is_given_up()) [[unlikely]] {
    share();
  }
}

/// A block of at least `bytes`, contents undefined. Throws std::bad_alloc.
Block* allocate_block(std::size_t bytes);
/// Returns an unreferenced block to its pool.
void recycle_block(Block* block) noexcept;
/// Completes Counted::release(): recycles the block if no reference is left.
void settle(Block* block) noexcept;
/// Completes release() of an object that was shared from the start: true if no reference is left.
bool settle_shared(Counted& object) noexcept;

inline void release(Block* block) noexcept {
  if (block->release()) {
    settle(block);
  }
}

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
