#pragma once
// How tensors, their memory and parameters count who refers to them, across threads.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rw::detail {

struct Pool;
struct Block;

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

}  // namespace rw::detail
