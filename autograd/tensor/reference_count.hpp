#pragma once
// Reference counts of tensors, their memory and parameters, across threads.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rw::detail {

struct Pool;
struct Block;

// Note [The calling thread's number]
// Position-independent code accesses a thread-local variable through a call, unless it is in static
// thread-local storage, which is scarce for libraries loaded at run time. The thread pointer
// register identifies a thread by itself, in one instruction. A later thread may have the number of
// one that has ended.
inline std::uintptr_t this_thread() noexcept {
  return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
}

/// What an object knows of the thread that made it: its number, or 0 if that thread has ended. The
/// second word is always 0, for objects that this thread has given up (Note [Reference counts]). On
/// a different cache line from what a pool writes, because other threads read it.
struct alignas(64) Owner {
  std::array<std::atomic<std::uintptr_t>, 2> words{};
};

// Note [Reference counts]
// Handles may be copied and dropped on any thread, as copies of a const object of the standard
// library may. An atomic increment costs more than many small operations, so a count has two parts
// (biased reference counting; Choi, Shull and Torrellas, PACT 2018). The thread that made an object
// owns it and counts in `own`, a plain integer; all other threads count in `others`, atomically.
//
// - When `own` reaches 0, the owner gives the object up: from then on all threads count in
//   `others`, and the one that drops the last reference destroys the object. If no other thread has
//   ever seen the object, no atomic update is needed.
// - When `others` becomes negative, another thread has dropped a reference that the owner counted,
//   for example to a batch that was handed over. The object is queued for its owner, which adds up
//   both parts when its pool runs out of blocks, and destroys the object or gives it up. Until then
//   nobody else destroys it.
// - Parameters, their values and the values' blocks are given up from the start, because several
//   threads read them.
// - A block returns to the pool of the thread that made it, also through a queue. A pool outlives
//   its thread; the next thread that starts takes it over.
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
  /// Drops a reference. Returns true if settle() must be called to complete this.
  bool release() noexcept { return !is_mine() || --own_ == 0; }

  /// Whether the calling thread holds the only reference. False if only the owner could tell.
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
  /// From now on the owner also counts in `others`.
  void give_up() noexcept { owner_.store(&owner().words[1], std::memory_order_relaxed); }

  // The first word of its Owner, or the second one once it is given up.
  std::atomic<const std::atomic<std::uintptr_t>*> owner_;
  std::uint32_t own_;
  std::atomic<std::int32_t> others_;
};

}  // namespace rw::detail
