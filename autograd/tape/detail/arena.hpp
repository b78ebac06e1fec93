#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace rw::detail {

/// Bump allocator for trivially destructible objects; `rewind` discards them all and keeps the
/// memory for the next tape.
class Arena {
 public:
  void* allocate(std::size_t bytes) {
    bytes = (bytes + 15) & ~std::size_t{15};
    if (bytes > static_cast<std::size_t>(end_ - next_)) [[unlikely]] {
      grow(bytes);
    }
    std::byte* const result = next_;
    next_ += bytes;
    return result;
  }
  template <class T>
  T* allocate_array(std::size_t n) {
    return static_cast<T*>(allocate(n * sizeof(T)));
  }
  /// Frees the allocation that starts at `begin`, and everything after it.
  void take_back(void* begin) noexcept { next_ = static_cast<std::byte*>(begin); }
  [[gnu::visibility("hidden")]] void rewind() noexcept;

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> memory;
    std::size_t size;
  };
  [[gnu::visibility("hidden")]] void grow(std::size_t bytes);

  std::vector<Chunk> chunks_;
  std::size_t used_chunks_ = 0;
  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
};

}  // namespace rw::detail
