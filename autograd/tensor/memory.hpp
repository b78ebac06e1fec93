#pragma once
// Pooled storage: after warm-up a training step takes every block from here and none from the heap.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

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

struct Pool;
struct Block;

// Note [One variable for a process]
// What a thread has in force is read in headers but defined in a .cpp, not inline. A user's plug-in
// that is compiled with -fvisibility=hidden would have an inline variable to itself, and Rewind's
// shared library would not see the tape that is active there.

// Note [The calling thread's number]
// Position-independent code finds a thread-local variable by a call, unless the variable has room
// in every thread from the start, which is scarce among libraries that are loaded at run time. The
// register by which threads find such variables tells threads apart by itself, in one instruction.
// A later thread may have the number of one that has ended.
inline std::uintptr_t this_thread() noexcept {
  return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
}

/// What objects know of the thread that made them: its number, 0 when that thread has ended. The
/// second word is always 0, and belongs to the objects that this thread has given up
/// (Note [Reference counts]). Apart from what a pool writes, since other threads read it.
struct alignas(64) Owner {
  std::array<std::atomic<std::uintptr_t>, 2> words{};
};

// Note [Reference counts]
// Handles may be copied and dropped on any thread, as those of a const object of the standard
// library may. An atomic increment costs more than many a small operation, so a count has two parts
// (biased reference counting; Choi, Shull and Torrellas, PACT 2018). The thread that made an object
// owns it and counts in `own`, a plain integer; all other threads count in `others`, atomically.
//
// - When `own` comes down to 0, the owner gives the object up: everybody counts in `others` from
//   then on, and whoever drops the last reference destroys the object. Nothing is atomic where
//   no other thread has ever seen the object.
// - When `others` falls below 0, a reference that the owner counted was dropped elsewhere, for
//   example that of a batch which was handed over. The object is queued for its owner, who adds
//   up both parts when its pool runs out of blocks, and destroys the object or gives it up. Until
//   then nobody else destroys it.
// - Parameters, their values and the values' blocks are given up from the start, because several
//   threads read them all the time.
// - A block goes back to the pool of the thread that made it, through a queue as well. A pool
//   outlives its thread, and the next thread that begins takes it over.
struct Counted {
  /// Made by the calling thread.
  Counted() noexcept;
  /// Made by the thread that has just made `block`.
  explicit Counted(const Block& block) noexcept;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  void retain() noexcept {
    if (is_mine()) [[likely]] {
      ++own_;
    } else {
      others_.fetch_add(one, std::memory_order_relaxed);
    }
  }
  /// Drops a reference. False when that is all; otherwise settle() must be called.
  bool release() noexcept { return !is_mine() || --own_ == 0; }

  /// Whether there is one reference, which the calling thread holds. False where only the owner
  /// could tell.
  bool is_unique() const noexcept {
    return is_mine() && own_ == 1 && others_.load(std::memory_order_acquire) == 0;
  }
  /// Gives the object up before any other thread sees it.
  void share() noexcept {
    give_up();
    others_.store(static_cast<std::int32_t>(own_) * one + given_up, std::memory_order_relaxed);
    own_ = 0;
  }

 protected:
  explicit Counted(const Owner& owner) noexcept { restart(owner); }
  /// One reference, held by `owner`.
  void restart(const Owner& owner) noexcept {
    own_ = 1;
    owner_.store(owner.words.data(), std::memory_order_relaxed);
    others_.store(0, std::memory_order_relaxed);
  }

 private:
  friend struct Pool;

  // The two lowest bits of `others`.
  static constexpr std::int32_t given_up = 1;
  static constexpr std::int32_t queued = 2;
  static constexpr std::int32_t one = 4;

  bool is_mine() const noexcept {
    return owner_.load(std::memory_order_relaxed)->load(std::memory_order_relaxed) == this_thread();
  }
  const Owner& owner() const noexcept {
    const auto word = reinterpret_cast<std::uintptr_t>(owner_.load(std::memory_order_relaxed));
    return *reinterpret_cast<const Owner*>(word & ~(alignof(Owner) - 1));
  }
  bool is_given_up() const noexcept {
    return owner_.load(std::memory_order_relaxed) == &owner().words[1];
  }
  /// The owner counts in `others` too from now on.
  void give_up() noexcept { owner_.store(&owner().words[1], std::memory_order_relaxed); }

  // The first word of its Owner, or the second one when it is given up.
  std::atomic<const std::atomic<std::uintptr_t>*> owner_;
  std::uint32_t own_;
  std::atomic<std::int32_t> others_;
};

// Note [Lent memory]
// mutable_data() hands out a pointer that may be kept and written through later, which no version
// counter sees (Note [Version counters]). So no copy is kept of what lies in memory that is lent
// (Note [Weights stored as read]), nor of what is borrowed (Tensor::view_of). A result of an
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
