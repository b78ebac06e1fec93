#pragma once

#include <cstdint>
#include <new>
#include <span>

#include <rewind/autograd/tape/detail/tape_storage.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// Puts operations on the active tape.
class Recorder {
 public:
  struct Begun {
    Node* node;   // null when no input is tracked
    bool is_own;  // each tracked input is a whole output with its own gradient
  };

  /// As begin_node; the numbers of inputs and outputs may be known at compile time.
  template <std::size_t Inputs, std::size_t Outputs>
  [[gnu::always_inline]] static Begun begin(const char* name,
                                            std::span<const TensorRef, Inputs> inputs,
                                            std::span<const Tensor, Outputs> outputs,
                                            std::size_t saved_count, std::size_t rule_bytes) {
    Tape& tape = *context.tape;
    TapeStorage& storage = *tape.storage_;
    Node* const node =
        make_node(storage, name, inputs.size(), outputs.size(), saved_count, rule_bytes);
    bool tracked = false;
    bool is_own = true;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const TensorBody& body = inputs[i].get().body();
      const auto [source, link] = tape.origin_of(body);
      Input& input = *new (node->inputs + i) Input{source};
      if (source == nullptr) {
        continue;
      }
      tracked = true;
      if (link != nullptr) {
        input.output = link->output;
        is_own = is_own && link->whole && input.slot().merged == nullptr;
        if (!link->whole) {
          input.region = new (storage.arena.allocate(sizeof(Region)))
              Region{link->offset, link->row_stride, body.shape};
        }
      }
    }
    if (!tracked) {
      storage.arena.take_back(node);
      return {nullptr, false};
    }
    // Only now: the inputs' leaves must come first.
    append(storage, node);
    ++storage.operations;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      TensorBody& body = outputs[i].body();
      new (node->slots + i) Slot{.shape = body.shape, .dtype = body.dtype};
      body.link = whole_link(tape.serial_, node, static_cast<std::uint32_t>(i), body.shape);
      body.block->lent = false;
    }
    return {node, is_own};
  }

  /// A node that belongs to the tape only after append(). Its inputs and slots are allocated but
  /// not yet constructed. A rule's alignment is at most 8.
  [[gnu::always_inline]] static Node* make_node(TapeStorage& storage, const char* name,
                                                std::size_t inputs, std::size_t outputs,
                                                std::size_t saved, std::size_t rule_bytes) {
    const auto aligned = [](std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; };
    const std::size_t inputs_at = sizeof(Node);
    const std::size_t slots_at = inputs_at + inputs * sizeof(Input);
    const std::size_t saved_at = slots_at + outputs * sizeof(Slot);
    const std::size_t rule_at = saved_at + saved * sizeof(Saved);
    auto* const memory =
        static_cast<std::byte*>(storage.arena.allocate(rule_at + aligned(rule_bytes)));
    auto* const saved_tensors = reinterpret_cast<Saved*>(memory + saved_at);
    for (std::size_t i = 0; i < saved; ++i) {
      new (saved_tensors + i) Saved{};
    }
    return new (memory) Node{.name = name,
                             .rule = memory + rule_at,
                             .inputs = reinterpret_cast<Input*>(memory + inputs_at),
                             .slots = reinterpret_cast<Slot*>(memory + slots_at),
                             .saved = saved_tensors,
                             .input_count = static_cast<std::uint32_t>(inputs),
                             .output_count = static_cast<std::uint32_t>(outputs),
                             .saved_count = static_cast<std::uint32_t>(saved)};
  }

  /// The packed weights that a tape keeps for its forward pass.
  static PackedWeights& weights_of(Tape& tape) { return tape.storage_->weights; }

  static void append(TapeStorage& storage, Node* node) {
    node->previous = storage.last;
    if (storage.last == nullptr) {
      storage.first = node;
    } else {
      storage.last->next = node;
      node->index = storage.last->index + 1;
    }
    storage.last = node;
    storage.is_released = false;
  }
};

}  // namespace rw::detail

namespace rw {

inline detail::Node* Tape::leaf_of(detail::ParameterBody& parameter) {
  detail::Node* const leaf = storage_->leaves.find(&parameter).leaf;
  return leaf != nullptr ? leaf : make_leaf(parameter);
}

inline Tape::Origin Tape::origin_of(const detail::TensorBody& body) {
  if (body.parameter != nullptr) {
    return body.parameter->trainable ? Origin{leaf_of(*body.parameter)} : Origin{};
  }
  const detail::Link& link = body.link;
  if (link.node != nullptr && link.tape != serial_) [[unlikely]] {
    check_ended(link, body.shape);
    return {};
  }
  return {link.node, &link};
}

}  // namespace rw

#pragma GCC visibility pop
