#pragma once
// Pooled storage: after warm-up a training step takes every block from here and none from the heap.

#include <cstddef>
#include <cstdint>

#include <rewind/autograd/tensor/reference_count.hpp>

namespace rw {

/// Counters of the calling thread's pool. What this thread made counts here until it is freed, on
/// whichever thread that happens.
struct MemoryStatistics {
  std::int64_t live_bytes = 0;    ///< handed out and not yet returned
  std::int64_t peak_bytes = 0;    ///< highest live_bytes since the last reset_peak_memory()
  std::int64_t pooled_bytes = 0;  ///< kept for reuse
};

MemoryStatistics memory_statistics();
void reset_peak_memory();

/// Returns the calling thread's unused pooled memory to the system.
void trim_memory();

namespace detail {

// Note [Lent memory]
// mutable_data() hands out a pointer that may be kept and written through later, which no version
// counter sees (Note [Version counters]). So no copy is kept of what lies in memory that is lent
// (Note [Packed weights]), nor of what is borrowed (Tensor::view_of). A result of an
// operation, a new parameter and one that an optimiser or assign() has written are lent no longer:
// who has a pointer to their memory asks for it again.

/// Header of a block of storage; the data follow it, 64-byte aligned. The version counts mutations
/// (Note [Version counters]).
struct alignas(64) Block : Counted {
  explicit Block(const Owner& owner) noexcept : Counted(owner) {}

  std::uint16_t size_class = 0;
  bool lent = false;      // Note [Lent memory]
  bool borrowed = false;  // the data lie in the user's memory
  std::uint32_t version = 0;
  Block* next = nullptr;  // in a list of free or queued blocks
  // Room for the body of the tensor that the block was allocated for, or for a view's body alone:
  // a new tensor is one allocation, and its description lies beside its data.
  alignas(8) std::byte body[160];

  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }

  /// Whether nobody else can read the data: others than handles read borrowed ones.
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
/// Takes back a block that nobody refers to.
void recycle_block(Block* block) noexcept;
/// Completes Counted::release(): takes the block back when no reference is left.
void settle(Block* block) noexcept;
/// Completes release() of an object that was shared from the start: true when no reference is left.
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
