#pragma once
// The data structures of a tape. Only the engine includes this; operations use record.hpp.

#include <cstdint>
#include <span>

#include <rewind/autograd/tensor/ownership.hpp>

namespace rw {
class Tape;
class Gradients;
}  // namespace rw

namespace rw::detail {

struct Slot;

/// A part of an output: `shape` starting `offset` elements into the dense output, rows `row_stride`
/// apart.
struct Region {
  std::int64_t offset;
  std::int64_t row_stride;
  Shape shape;
};

/// Where an operation's input came from; `node` is null for a constant. `region` is null for a
/// whole output.
struct Input {
  Node* node = nullptr;
  std::uint32_t output = 0;
  const Region* region = nullptr;

  Slot& slot() const;
  const Shape& shape() const;
};

/// A recorded gradient contribution, to be summed when the backward pass reaches its output (Note
/// [Two ways a rule runs]).
struct Contribution {
  Tensor value;
  const Region* region;
  Contribution* next;
};

/// A product x^T dy that waits to be computed together with others (Note [Gathered products]).
struct PendingProduct {
  Tensor x;
  Tensor dy;
  PendingProduct* next;
};

/// A waiting product that reads a gradient which may still receive contributions (Note [Gathered
/// products]).
struct WaitingReader {
  PendingProduct* product;
  WaitingReader* next;
};

/// All products that wait for the same columns of a weight's gradient.
struct PendingProducts {
  std::int64_t first_column;
  std::int64_t columns;
  PendingProduct* last = nullptr;
  std::int64_t rows = 0;  // of all of them together
  PendingProducts* next = nullptr;

  void clear() noexcept {
    for (; last != nullptr; last = last->next) {
      last->x.reset();
      last->dy.reset();
    }
    rows = 0;
  }
};

/// The gradient of one output while a backward pass runs.
struct Slot {
  Shape shape;
  DType dtype = DType::float32;
  bool keep = false;     // the caller asked for this gradient
  bool owned = false;    // `gradient` was allocated here: writing into it changes no other tensor
  bool touched = false;  // a merged gradient has a contribution
  Tensor gradient = {};
  // The elements [filled_begin, filled_end) of `gradient` hold values, the others are uninitialised
  // (Note [Gradients of views]).
  std::int64_t filled_begin = 0;
  std::int64_t filled_end = 0;
  Contribution* contributions = nullptr;
  PendingProducts* products = nullptr;
  WaitingReader* readers = nullptr;
  // If the output took over its first input's memory, their gradients are merged as well: this one
  // is part of that input's (Note [Products in place]).
  const Input* merged = nullptr;

  /// All elements hold values.
  bool is_full() const { return filled_begin == 0 && filled_end == shape.elements(); }
  bool reached() const {
    return gradient.defined() || contributions != nullptr || products != nullptr || touched;
  }
  /// Allocates the gradient, whose elements [begin, end) are about to be written.
  void start(std::int64_t begin, std::int64_t end) {
    gradient = make_tensor(shape, dtype);
    owned = true;
    filled_begin = begin;
    filled_end = end;
  }
  /// Nobody else can read the gradient, so its memory may be reused once its rule has read it.
  bool is_expendable() const { return owned && !keep && is_sole_owner(gradient); }
  /// Takes over the memory of `expendable`, of the same shape, for the whole gradient.
  void start_in(Slot& expendable) {
    gradient = std::move(expendable.gradient);
    expendable.owned = false;
    owned = true;
    filled_begin = 0;
    filled_end = shape.elements();
  }
  /// Clears everything that a backward pass has left here.
  void clear() noexcept {
    gradient.reset();
    keep = touched = owned = false;
    filled_begin = filled_end = 0;
    readers = nullptr;
    for (; products != nullptr; products = products->next) {
      products->clear();
    }
    for (; contributions != nullptr; contributions = contributions->next) {
      contributions->value.reset();
    }
  }
};

/// A tensor that a gradient rule will read, with its version when it was saved (Note [Version
/// counters]).
struct Saved {
  Tensor tensor;
  std::uint32_t version = 0;
};

/// One recorded operation, or a leaf (no `run`). Lives in the tape's arena.
struct Node {
  Node* previous = nullptr;  // creation order is a topological order
  Node* next = nullptr;
  Node* previous_leaf = nullptr;
  const char* name = "";
  void (*run)(const Node&, Gradients&) = nullptr;
  const void* rule = nullptr;
  Input* inputs = nullptr;
  Slot* slots = nullptr;
  Saved* saved = nullptr;
  ParameterBody* parameter = nullptr;  // for a parameter's leaf; counted
  std::uint32_t input_count = 0;
  std::uint32_t output_count = 0;
  std::uint32_t saved_count = 0;
  std::uint32_t index = 0;
  bool released = false;   // its saved tensors are gone: a backward pass without `retain` has run
  bool reachable = false;  // from the root of the running backward pass
  bool wanted = true;      // the running backward pass needs this node's gradient

  std::span<Input> input_span() { return {inputs, input_count}; }
  std::span<const Input> input_span() const { return {inputs, input_count}; }
  std::span<Slot> slot_span() { return {slots, output_count}; }
  std::span<const Slot> slot_span() const { return {slots, output_count}; }
  std::span<Saved> saved_span() { return {saved, saved_count}; }
};

inline Slot& Input::slot() const { return node->slots[output]; }
inline const Shape& Input::shape() const {
  return region != nullptr ? region->shape : slot().shape;
}

/// Merges the gradient of a recorded result with that of its operation's first input, whose memory
/// the result has taken over, if their layouts allow it.
void merge_gradients(const Tensor& result);

/// The link of `x` to the active tape; `node` is null if there is none. Throws UsageError for a
/// tensor that another live tape recorded.
Link link_of(const Tensor& x);

}  // namespace rw::detail
