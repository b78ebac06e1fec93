#include <algorithm>

#include <rewind/autograd/tape/detail/arena.hpp>

namespace rw::detail {

void Arena::rewind() noexcept {
  used_chunks_ = 0;
  next_ = end_ = nullptr;
}

void Arena::grow(std::size_t bytes) {
  constexpr std::size_t smallest_chunk = std::size_t{1} << 16;
  while (used_chunks_ < chunks_.size() && chunks_[used_chunks_].size < bytes) {
    ++used_chunks_;  // too small for this request; free again after the next rewind
  }
  if (used_chunks_ == chunks_.size()) {
    // Doubling keeps the number of chunks small on a tape of a million nodes.
    const std::size_t doubled = chunks_.empty() ? smallest_chunk : 2 * chunks_.back().size;
    const std::size_t size = std::max(bytes, std::min(doubled, std::size_t{1} << 26));
    chunks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
  }
  next_ = chunks_[used_chunks_].memory.get();
  end_ = next_ + chunks_[used_chunks_].size;
  ++used_chunks_;
}

}  // namespace rw::detail
