#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <mutex>
#include <new>
#include <utility>

#include <pthread.h>

#include <rewind/autograd/tensor/capture_memory.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {
namespace detail {

namespace {

/// The calling thread's pool; null before its first allocation and while the thread ends.
constinit thread_local Pool* this_pool = nullptr;

/// Owns objects made by a thread without a pool. No thread has its number.
constinit Owner no_owner;

// Size classes: four per doubling, from 64 bytes, so that at most a quarter of a block is unused.
constexpr std::uint32_t classes = 4 * 58;

std::uint32_t class_of(std::size_t bytes) {
  const std::size_t units = std::max<std::size_t>((bytes + 63) / 64, 1) - 1;
  if (units < 4) {
    return static_cast<std::uint32_t>(units);
  }
  const auto exponent = static_cast<std::uint32_t>(std::bit_width(units) - 1);
  const auto step = static_cast<std::uint32_t>((units >> (exponent - 2)) & 3);
  return 4 * (exponent - 1) + step;
}

constexpr std::size_t capacity_of(std::uint32_t size_class) {
  if (size_class < 4) {
    return 64 * (std::size_t{size_class} + 1);
  }
  const std::uint32_t exponent = size_class / 4 + 1;
  const std::size_t step = size_class % 4;
  return 64 * (((4 + step + 1) << (exponent - 2)));
}

Block* new_block(std::uint32_t size_class, const Owner& owner) {
  auto* const block =
      new (::operator new (sizeof(Block) + capacity_of(size_class), std::align_val_t{64}))
          Block(owner);
  block->size_class = static_cast<std::uint16_t>(size_class);
  return block;
}
void give_to_heap(Block* block) noexcept { ::operator delete (block, std::align_val_t{64}); }

}  // namespace

/// A list to which any thread adds items, and which its owner empties in one step.
template <class T, T* T::*next>
class Inbox {
 public:
  void push(T* item) noexcept {
    item->*next = first_.load(std::memory_order_relaxed);
    while (!first_.compare_exchange_weak(item->*next, item)) {
    }
  }
  /// Calls `take(item)` for each item, which it may destroy. False if there was none.
  template <class Take>
  bool empty(const Take& take) noexcept {
    if (first_.load(std::memory_order_relaxed) == nullptr) {
      return false;
    }
    for (T* item = first_.exchange(nullptr); item != nullptr;) {
      T* const following = item->*next;
      take(item);
      item = following;
    }
    return true;
  }

 private:
  std::atomic<T*> first_{nullptr};
};

/// The memory of one thread, later taken over by another (Note [Reference counts]).
struct __attribute__((visibility("hidden"))) Pool : Owner {
  std::array<Block*, classes> free_lists{};
  std::int64_t live_bytes = 0;
  std::int64_t peak_bytes = 0;
  std::int64_t held_bytes = 0;  // live and pooled

  // From other threads: objects whose two counts must be added up, and free blocks.
  Inbox<TensorBody, &TensorBody::next_queued> queued_bodies;
  Inbox<Block, &Block::next> queued_blocks;
  Inbox<Block, &Block::next> returned_blocks;
  std::atomic<bool> abandoned{false};  // belongs to no thread; guarded by the list's lock
  Pool* next_abandoned = nullptr;

  /// Counts a block of `size_class` as allocated.
  void count(std::uint32_t size_class) noexcept {
    live_bytes += static_cast<std::int64_t>(capacity_of(size_class));
    peak_bytes = std::max(peak_bytes, live_bytes);
  }
  void take_back(Block* block) noexcept {
    live_bytes -= static_cast<std::int64_t>(capacity_of(block->size_class));
    block->next = free_lists[block->size_class];
    free_lists[block->size_class] = block;
  }
  Block* take(std::uint32_t size_class) noexcept {
    Block* const block = free_lists[size_class];
    if (block != nullptr) {
      free_lists[size_class] = block->next;
      block->restart(*this);
      block->lent = false;
      block->borrowed = false;
      count(size_class);
    }
    return block;
  }
  /// A block that was never used before.
  Block* make(std::uint32_t size_class) {
    Block* const block = new_block(size_class, *this);
    held_bytes += static_cast<std::int64_t>(capacity_of(size_class));
    count(size_class);
    return block;
  }
  /// Adds a reference to each of `blocks`, which may be free.
  void hold(std::vector<Block*>& blocks) noexcept {
    for (Block* const block : blocks) {
      block->retain();
    }
    std::ranges::sort(blocks);
    for (Block*& list : free_lists) {
      for (Block** place = &list; *place != nullptr;) {
        Block* const block = *place;
        if (std::ranges::binary_search(blocks, block)) {
          *place = block->next;
          block->restart(*this);
          count(block->size_class);
        } else {
          place = &block->next;
        }
      }
    }
  }
  void trim() noexcept {
    for (Block*& list : free_lists) {
      while (list != nullptr) {
        Block* const block = std::exchange(list, list->next);
        held_bytes -= static_cast<std::int64_t>(capacity_of(block->size_class));
        give_to_heap(block);
      }
    }
  }
  /// Processes what other threads queued for the owner, which is the calling thread. False if there
  /// was nothing.
  bool empty_inboxes() noexcept {
    const bool had_bodies = queued_bodies.empty([](TensorBody* body) {
      if (add_up(*body)) {
        recycle_body(body);
      }
    });
    const bool had_queued = queued_blocks.empty([this](Block* block) {
      if (add_up(*block)) {
        take_back(block);
      }
    });
    const bool had_returned = returned_blocks.empty([this](Block* block) { take_back(block); });
    return had_bodies || had_queued || had_returned;
  }

  /// Completes release() for an object; true if no reference is left.
  template <class T>
  static bool finish_release(T& object) noexcept {
    Counted& c = object;
    if (c.is_mine()) {
      if (c.others_.load(std::memory_order_acquire) == 0) {
        return true;
      }
      c.give_up();
      const std::int32_t before = c.others_.fetch_or(Counted::given_up, std::memory_order_acq_rel);
      return (before | Counted::given_up) == Counted::given_up;
    }
    std::int32_t before = c.others_.load(std::memory_order_relaxed);
    for (;;) {
      std::int32_t after = before - Counted::one;
      const bool queues = after < 0 && (before & Counted::queued) == 0;
      if (queues) {
        after |= Counted::queued;
      }
      if (c.others_.compare_exchange_weak(before, after, std::memory_order_acq_rel,
                                          std::memory_order_relaxed)) {
        if (queues) {
          queue(object);
        }
        return after == Counted::given_up;
      }
    }
  }

  /// The pool of the thread that made `c`; null if it had none.
  static Pool* of(const Counted& c) noexcept {
    const Owner& owner = c.owner();
    return &owner == &no_owner ? nullptr : static_cast<Pool*>(const_cast<Owner*>(&owner));
  }
  bool is_this_threads() const noexcept {
    return words[0].load(std::memory_order_relaxed) == this_thread();
  }
  void return_block(Block* block) noexcept {
    returned_blocks.push(block);
    settle_if_abandoned();
  }

  /// Makes the calling thread the owner of a pool.
  static Pool* begin();
  void end() noexcept;

 private:
  /// Called by the owner of a queued object: true if no reference is left.
  static bool add_up(Counted& c) noexcept {
    const std::int32_t own = static_cast<std::int32_t>(std::exchange(c.own_, 0));
    c.give_up();  // first: another thread may destroy the object right after the exchange
    std::int32_t before = c.others_.load(std::memory_order_relaxed);
    std::int32_t after = 0;
    do {
      after = ((before + own * Counted::one) & ~Counted::queued) | Counted::given_up;
    } while (!c.others_.compare_exchange_weak(before, after, std::memory_order_acq_rel,
                                              std::memory_order_relaxed));
    return after == Counted::given_up;
  }
  static void queue(TensorBody& body) noexcept {
    Pool* const pool = of(body);
    pool->queued_bodies.push(&body);
    pool->settle_if_abandoned();
  }
  static void queue(Block& block) noexcept {
    Pool* const pool = of(block);
    pool->queued_blocks.push(&block);
    pool->settle_if_abandoned();
  }
  static void queue(Counted&) noexcept {}  // given up from the start
  void settle_if_abandoned() noexcept;
};

namespace {

/// Pools whose threads have ended.
struct AbandonedPools {
  std::mutex mutex;
  Pool* first = nullptr;
};
constinit AbandonedPools abandoned_pools;

/// The calling thread is settling abandoned pools, and holds their lock.
constinit thread_local bool is_settling = false;

/// Processes what was queued for threads that have ended; the caller holds the lock. Objects that
/// this releases may belong to another abandoned pool, which the next round settles.
void settle_abandoned_pools() noexcept {
  is_settling = true;
  for (bool again = true; again;) {
    again = false;
    for (Pool* pool = abandoned_pools.first; pool != nullptr; pool = pool->next_abandoned) {
      pool->words[0].store(this_thread(), std::memory_order_relaxed);
      again = pool->empty_inboxes() || again;
      pool->trim();
      pool->words[0].store(0, std::memory_order_relaxed);
    }
  }
  is_settling = false;
}

/// Ensures that a forked child never finds the mutex locked by a thread that it does not have.
void keep_unlocked_in_children() {
  pthread_atfork([] { abandoned_pools.mutex.lock(); }, [] { abandoned_pools.mutex.unlock(); },
                 [] { abandoned_pools.mutex.unlock(); });
}

// Tensors with static storage are released after the thread's own variables. Their memory then
// returns to the pool as if from another thread.
constinit thread_local bool pool_is_gone = false;

struct PoolOwner {
  PoolOwner() { this_pool = Pool::begin(); }
  ~PoolOwner() {
    pool_is_gone = true;
    this_pool->end();
  }
};

Pool* current_pool() {
  if (this_pool == nullptr && !pool_is_gone) [[unlikely]] {
    static thread_local PoolOwner owner;
  }
  return this_pool;
}

/// Out of line, so that the fast path saves no registers.
[[gnu::noinline]] Block* allocate_slowly(std::uint32_t size_class) {
  Pool* const pool = current_pool();
  if (pool != nullptr) {
    pool->empty_inboxes();
    if (Block* const block = pool->take(size_class)) {
      return block;
    }
    return pool->make(size_class);
  }
  auto* const block =
      new (::operator new (sizeof(Block) + capacity_of(size_class), std::align_val_t{64}))
          Block(no_owner);
  block->size_class = static_cast<std::uint16_t>(size_class);
  block->share();
  return block;
}

}  // namespace

Pool* Pool::begin() {
  static const bool once = (keep_unlocked_in_children(), true);
  static_cast<void>(once);
  const std::lock_guard lock(abandoned_pools.mutex);
  Pool* pool = abandoned_pools.first;
  if (pool == nullptr) {
    pool = new Pool;  // never deleted: objects that return to it may live longer
  } else {
    abandoned_pools.first = pool->next_abandoned;
    pool->abandoned.store(false);
    pool->peak_bytes = pool->live_bytes;
  }
  pool->words[0].store(this_thread(), std::memory_order_relaxed);
  return pool;
}

void Pool::end() noexcept {
  const std::lock_guard lock(abandoned_pools.mutex);
  abandoned.store(true);  // first: from now on, whoever queues something also settles it
  if (this_pool == this) {
    this_pool = nullptr;
  }
  next_abandoned = abandoned_pools.first;
  abandoned_pools.first = this;
  settle_abandoned_pools();
}

void Pool::settle_if_abandoned() noexcept {
  if (is_settling || !abandoned.load()) {
    return;
  }
  const std::lock_guard lock(abandoned_pools.mutex);
  settle_abandoned_pools();
}

Counted::Counted() noexcept {
  restart(this_pool == nullptr ? no_owner : *this_pool);
  if (this_pool == nullptr) [[unlikely]] {
    share();
  }
}

namespace {
std::uint32_t size_class_of(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 4) [[unlikely]] {
    throw std::bad_alloc();
  }
  return class_of(bytes);
}
}  // namespace

Block* allocate_block(std::size_t bytes) {
  const std::uint32_t size_class = size_class_of(bytes);
  if (Pool* const pool = this_pool; pool != nullptr) [[likely]] {
    if (Block* const block = pool->take(size_class)) [[likely]] {
      return block;
    }
  }
  return allocate_slowly(size_class);
}

void recycle_block(Block* block) noexcept {
  Pool* const home = Pool::of(*block);
  if (home != nullptr && home->is_this_threads()) [[likely]] {
    home->take_back(block);
  } else if (home == nullptr) {
    give_to_heap(block);
  } else {
    home->return_block(block);
  }
}

void settle(Block* block) noexcept {
  if (Pool::finish_release(*block)) {
    recycle_block(block);
  }
}

void settle(TensorBody* body) noexcept {
  if (Pool::finish_release(*body)) {
    recycle_body(body);
  }
}

bool settle_shared(Counted& object) noexcept { return Pool::finish_release(object); }

std::size_t capacity_of(const Block& block) noexcept { return capacity_of(block.size_class); }

constinit thread_local CaptureMemory* capture_memory = nullptr;

// A pool of its own, from which nothing is ever taken twice: memory that an operation frees is not
// used again by a later one. Until the end no reference is held, so that operations still find out
// what they alone can read (Note [Ownership]).
CaptureMemory::CaptureMemory() : pool_(Pool::begin()) { capture_memory = this; }

Block* CaptureMemory::allocate(std::size_t bytes) {
  Block* const block = pool_->make(size_class_of(bytes + register_bytes));
  blocks_.push_back(block);
  bytes_.emplace(block, bytes);
  return block;
}

void CaptureMemory::end() noexcept {
  if (std::exchange(is_open_, false)) {
    capture_memory = nullptr;
    pool_->hold(blocks_);
    pool_->end();
  }
}

CaptureMemory::~CaptureMemory() {
  end();
  for (Block* const block : blocks_) {
    release(block);
  }
}

}  // namespace detail

MemoryStatistics memory_statistics() {
  detail::Pool* const pool = detail::current_pool();
  if (pool == nullptr) {
    return {};
  }
  pool->empty_inboxes();
  return {pool->live_bytes, pool->peak_bytes, pool->held_bytes - pool->live_bytes};
}

void reset_peak_memory() {
  if (detail::Pool* const pool = detail::current_pool()) {
    pool->empty_inboxes();
    pool->peak_bytes = pool->live_bytes;
  }
}

void trim_memory() {
  if (detail::Pool* const pool = detail::current_pool()) {
    pool->empty_inboxes();
    pool->trim();
  }
}

}  // namespace rw
