#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <new>

#include <rewind/autograd/memory.hpp>

namespace rw {
namespace detail {
namespace {

// Size classes: four to each doubling, from 64 bytes, so that at most a quarter of a block is
// unused.
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

std::size_t capacity_of(std::uint32_t size_class) {
  if (size_class < 4) {
    return 64 * (std::size_t{size_class} + 1);
  }
  const std::uint32_t exponent = size_class / 4 + 1;
  const std::size_t step = size_class % 4;
  return 64 * (((4 + step + 1) << (exponent - 2)));
}

struct Pool {
  std::array<Block*, classes> free_lists{};
  std::int64_t live_bytes = 0;
  std::int64_t peak_bytes = 0;
  std::int64_t held_bytes = 0;  // live and pooled ones

  /// `block` is handed out.
  void count(const Block& block) {
    live_bytes += static_cast<std::int64_t>(block.capacity);
    peak_bytes = std::max(peak_bytes, live_bytes);
  }
  void trim() noexcept {
    for (Block*& list : free_lists) {
      while (list != nullptr) {
        Block* block = list;
        list = block->next_free;
        held_bytes -= static_cast<std::int64_t>(block->capacity);
        ::operator delete (block, std::align_val_t{64});
      }
    }
  }
};

// The pointer is trivially destructible, so that tensors with static storage can still be released
// while a thread (or the program) ends: they then go straight back to the heap.
constinit thread_local Pool* pool = nullptr;
constinit thread_local bool pool_is_gone = false;

struct PoolOwner {
  Pool instance;
  PoolOwner() { pool = &instance; }
  ~PoolOwner() {
    pool = nullptr;
    pool_is_gone = true;
    instance.trim();
  }
};

Pool* current_pool() {
  if (pool == nullptr && !pool_is_gone) [[unlikely]] {
    static thread_local PoolOwner owner;
  }
  return pool;
}

/// Apart, so that the usual way has nothing to put by.
[[gnu::noinline]] Block* allocate_from_heap(std::uint32_t size_class) {
  const std::size_t capacity = capacity_of(size_class);
  auto* const block = new (::operator new (sizeof(Block) + capacity, std::align_val_t{64})) Block;
  block->size_class = size_class;
  block->capacity = capacity;
  if (Pool* const owner = current_pool()) {
    owner->held_bytes += static_cast<std::int64_t>(capacity);
    owner->count(*block);
  }
  return block;
}

}  // namespace

Block* allocate_block(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 4) [[unlikely]] {
    throw std::bad_alloc();
  }
  const std::uint32_t size_class = class_of(bytes);
  Pool* const owner = pool;
  if (owner == nullptr || owner->free_lists[size_class] == nullptr) [[unlikely]] {
    return allocate_from_heap(size_class);
  }
  Block* const block = owner->free_lists[size_class];
  owner->free_lists[size_class] = block->next_free;
  block->references = 1;
  block->shared = false;
  owner->count(*block);
  return block;
}

void recycle_block(Block* block) noexcept {
  Pool* const owner = current_pool();
  if (owner == nullptr) {
    ::operator delete (block, std::align_val_t{64});
    return;
  }
  owner->live_bytes -= static_cast<std::int64_t>(block->capacity);
  block->next_free = owner->free_lists[block->size_class];
  owner->free_lists[block->size_class] = block;
}

}  // namespace detail

MemoryStatistics memory_statistics() {
  const detail::Pool* const owner = detail::current_pool();
  if (owner == nullptr) {
    return {};
  }
  return {owner->live_bytes, owner->peak_bytes, owner->held_bytes - owner->live_bytes};
}

void reset_peak_memory() {
  if (detail::Pool* const owner = detail::current_pool()) {
    owner->peak_bytes = owner->live_bytes;
  }
}

void trim_memory() {
  if (detail::Pool* const owner = detail::current_pool()) {
    owner->trim();
  }
}

}  // namespace rw
