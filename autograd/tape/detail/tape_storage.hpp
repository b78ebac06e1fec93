#pragma once

#include <vector>

#include <rewind/autograd/tape/detail/arena.hpp>
#include <rewind/autograd/tape/node.hpp>
#include <rewind/autograd/tape/packed_weights.hpp>

namespace rw::detail {

/// The leaves that a tape made for parameters: a small open-addressing table from parameter to
/// node.
class LeafTable {
 public:
  struct Entry {
    ParameterBody* parameter = nullptr;
    Node* leaf = nullptr;
  };

  /// The entry of `parameter`, empty if it has none yet.
  Entry& find(ParameterBody* parameter) {
    Entry& entry = entries_[home_of(parameter)];
    return entry.parameter == parameter ? entry : search(parameter);
  }
  [[gnu::visibility("hidden")]] void clear() noexcept;

 private:
  std::size_t home_of(const ParameterBody* parameter) const {
    // Parameters are in blocks of the pool, 64-byte aligned.
    const auto place = reinterpret_cast<std::uintptr_t>(parameter) >> 6;
    return (place ^ (place >> 4)) & (entries_.size() - 1);
  }
  [[gnu::visibility("hidden")]] Entry& probe(ParameterBody* parameter);
  [[gnu::visibility("hidden")]] Entry& search(ParameterBody* parameter);

  std::vector<Entry> entries_ = std::vector<Entry>(16);
  std::size_t used_ = 0;
};

/// The link of a tensor of `shape` that is a whole output.
inline Link whole_link(std::uint64_t tape, Node* node, std::uint32_t output, const Shape& shape) {
  return {tape, node, output, true, 0, shape.columns()};
}

/// Memory of a tape. A thread reuses it for its next tapes, so that a training step allocates
/// nothing after a warm-up.
struct TapeStorage {
  Arena arena;
  LeafTable leaves;
  PackedWeights weights;
  Node* first = nullptr;
  Node* last = nullptr;
  Node* last_leaf = nullptr;
  bool is_released = false;  // a backward pass has released all operations
  std::int64_t operations = 0;

  /// Releases every tensor and forgets all nodes.
  [[gnu::visibility("hidden")]] void clear() noexcept;
};

}  // namespace rw::detail
