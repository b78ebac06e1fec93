#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include <rewind/autograd/tensor/memory.hpp>

namespace rw::detail {

/// The memory of the tensors that the calling thread makes from construction to end(), for a
/// capture. Each has its own: a replay writes into all of them. Nothing else uses it as long as
/// this object lives, which may be destroyed on any thread. At most one is open on a thread.
class CaptureMemory {
 public:
  [[gnu::visibility("hidden")]] CaptureMemory();
  [[gnu::visibility("hidden")]] ~CaptureMemory();
  CaptureMemory(const CaptureMemory&) = delete;
  CaptureMemory& operator=(const CaptureMemory&) = delete;

  static constexpr std::size_t register_bytes = 64;

  [[gnu::visibility("hidden")]] Block* allocate(std::size_t bytes);
  [[gnu::visibility("hidden")]] void end() noexcept;
  const std::vector<Block*>& blocks() const { return blocks_; }
  bool has(const Block* block) const { return bytes_.contains(block); }
  /// The bytes that a block was allocated for. Behind them is room for the largest register.
  std::size_t bytes_of(const Block* block) const { return bytes_.at(block); }

 private:
  std::vector<Block*> blocks_;
  std::unordered_map<const Block*, std::size_t> bytes_;
  Pool* pool_;
  bool is_open_ = true;
};

/// That of the capture under way on the calling thread, or null. Note [One variable per process]
extern constinit thread_local CaptureMemory* capture_memory;

/// Bytes of data that a block has room for.
[[gnu::visibility("hidden")]] std::size_t capacity_of(const Block& block) noexcept;

}  // namespace rw::detail
