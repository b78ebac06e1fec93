#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <rewind/autograd/tape/detail/backward.hpp>
#include <rewind/autograd/tape/detail/gathered_products.hpp>
#include <rewind/autograd/tape/detail/gradient_slot.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/recorder.hpp>
#include <rewind/autograd/tape/view.hpp>

namespace rw::detail {

namespace {

/// `who`, here and below, is the function that the user called: "backward" or "gradient".
Tensor checked_seed(const char* who, const Tensor& root, const Tensor& seed) {
  if (!seed.defined()) {
    check_shape(root.elements() == 1,
                "{}: the root has shape {}, expected a single number; reduce it (sum, mean) or "
                "give a seed of its shape",
                who, root.shape());
    return full(root.shape(), 1.0, root.dtype());
  }
  check_shape(seed.shape() == root.shape(), "{}: the seed has shape {}, expected the root's {}",
              who, seed.shape(), root.shape());
  check<UsageError>(seed.dtype() == root.dtype(), "{}: the seed is {}, expected the root's {}", who,
                    name_of(seed.dtype()), name_of(root.dtype()));
  if (context.anomaly != nullptr) {
    check_finite_seed(seed);
  }
  return seed;
}

// Note [Version counters]
// A gradient rule may read tensors that the forward pass saved. Their storage counts its mutations,
// and the count at saving time is stored with the handle. Before a backward pass writes anything,
// it compares the counts of all operations that it will run.
void check_saved(const char* who, const Node& node) {
  check<UsageError>(
      !node.released,
      "{}: the tensors that '{}' saved were released by an earlier backward pass; pass "
      "{{.retain = true}} to that pass to run another one",
      who, node.name);
  for (std::uint32_t i = 0; i < node.saved_count; ++i) {
    const TensorBody& saved = node.saved[i].tensor.body();
    const std::uint32_t version = saved.block->version;
    if (version != node.saved[i].version) [[unlikely]] {
      throw UsageError(fmt::format(
          "{}: '{}' (operation {}) saved {} of shape {} which was changed afterwards: it is at "
          "version {}, expected {}; change it after the backward pass, or give the operation a "
          "clone()",
          who, node.name, node.index,
          saved.parameter != nullptr ? "parameter '" + saved.parameter->name + "'" : "a tensor",
          to_string(saved.shape), version, node.saved[i].version));
    }
  }
}

}  // namespace

BackwardPass::BackwardPass(Tape& tape, bool create_graph)
    : tape_(tape),
      create_graph_(create_graph),
      recording_(context.tape, tape_scopes, create_graph ? &tape : nullptr) {}

BackwardPass::~BackwardPass() {
  if (cleaned_) {
    for (Node* leaf = tape_.storage_->last_leaf; leaf != nullptr; leaf = leaf->previous_leaf) {
      leaf->reachable = false;
      leaf->slots[0].clear();
    }
    return;
  }
  for (Node* node = tape_.storage_->last; node != nullptr; node = node->previous) {
    node->reachable = false;
    node->wanted = true;
    for (Slot& slot : node->slot_span()) {
      slot.clear();
    }
  }
}

void BackwardPass::begin(const Tensor& root, const Tensor& seed, std::span<const Link> targets,
                         bool only_targets) {
  const TensorBody& body = root.body();
  Link link = body.link;
  if (body.parameter != nullptr && body.parameter->trainable) {
    link = whole_link(tape_.serial(), tape_.leaf_of(*body.parameter), 0, body.shape);
  }
  const char* const who = only_targets ? "gradient" : "backward";
  check<UsageError>(link.node != nullptr,
                    "{}: the root (shape {}) was not recorded: it depends on no trainable "
                    "parameter and no watched tensor, or was computed before the tape began",
                    who, body.shape);
  check<UsageError>(link.tape == tape_.serial(),
                    "{}: the root (shape {}) was recorded on another tape, or on one that has "
                    "ended",
                    who, body.shape);
  const Tensor start = checked_seed(who, root, seed);
  root_ = link.node;
  only_targets_ = only_targets;
  mark(targets, only_targets);
  if (root_->reachable) {
    const Region region{link.offset, link.row_stride, body.shape};
    add_tensor(*link.node,
               {link.node, link.output,
                link.whole ? nullptr
                           : new (tape_.storage_->arena.allocate(sizeof(Region))) Region(region)},
               create_graph_ ? start : start.detach());
  }
}

/// Finds the operations that will run, and checks them, before anything is written.
void BackwardPass::mark(std::span<const Link> targets, bool only_targets) {
  if (only_targets) {
    for (Node* node = tape_.storage_->first; node != nullptr; node = node->next) {
      node->wanted = false;
    }
    for (const Link& target : targets) {
      target.node->wanted = true;
      target.node->slots[target.output].keep = true;
    }
    for (Node* node = tape_.storage_->first; node != root_; node = node->next) {
      for (const Input& input : node->next->input_span()) {
        node->next->wanted = node->next->wanted || (input.node != nullptr && input.node->wanted);
      }
    }
  }
  root_->reachable = root_->wanted;
  for (Node* node = root_; node != nullptr; node = node->previous) {
    if (!node->reachable || node->run == nullptr) {
      continue;
    }
    bool needed = false;
    for (const Input& input : node->input_span()) {
      if (input.node != nullptr && input.node->wanted) {
        input.node->reachable = true;
        needed = true;
      }
    }
    if (needed) {
      check_saved(only_targets ? "gradient" : "backward", *node);
    }
  }
}

void BackwardPass::run(bool retain) {
  bool keeps = false;
  bool released_all = !retain && root_ == tape_.storage_->last;
  for (Node* node = root_; node != nullptr; node = node->previous) {
    if (!node->reachable || node->run == nullptr) {
      released_all = released_all && node->saved_count == 0;
      continue;
    }
    bool reached = false;
    bool keep = false;
    for (Slot& slot : node->slot_span()) {
      if (slot.reached()) {
        finish(slot);
        reached = true;
      }
      keep = keep || slot.keep;
    }
    if (reached) {
      Gradients gradients(*node, create_graph_, *this);
      node->run(*node, gradients);
      if (context.anomaly != nullptr) {
        check_gradients(*node);
      }
    }
    if (keep) {
      keeps = true;
    } else {
      node->reachable = false;
      for (Slot& slot : node->slot_span()) {
        slot.clear();
      }
    }
    if (!retain) {
      node->released = true;
      for (Saved& saved : node->saved_span()) {
        saved.tensor.reset();
      }
    }
  }
  cleaned_ = !keeps && !only_targets_;
  tape_.storage_->is_released = released_all && cleaned_;
}

/// In anomaly mode, checks the gradients that a rule has accumulated in.
void BackwardPass::check_gradients(const Node& node) const {
  for (const Input& input : node.input_span()) {
    if (input.node == nullptr || !input.node->wanted) {
      continue;
    }
    const Slot& slot = input.slot();
    for (const Contribution* c = slot.contributions; c != nullptr; c = c->next) {
      check_finite_gradient(node, c->value);
    }
    if (slot.gradient.defined() && slot.filled_begin < slot.filled_end) {
      check_finite_gradient(node, part(slot.gradient.detach(),
                                       {slot.filled_begin, slot.filled_end - slot.filled_begin,
                                        Shape{slot.filled_end - slot.filled_begin}}));
    }
  }
}

Tensor BackwardPass::take(const Link& target, const Shape& shape) {
  Slot& slot = target.node->slots[target.output];
  if (!slot.reached()) {
    return zeros(shape, slot.dtype);
  }
  finish(slot);
  if (!create_graph_) {
    make_unique(slot.gradient);
  }
  if (target.offset == 0 && shape == slot.shape) {
    return slot.gradient;
  }
  return part(slot.gradient, {target.offset, target.row_stride, shape});
}

void BackwardPass::commit() {
  // Everything that can fail comes first, so that either all gradients change or none.
  for (Node* leaf = tape_.storage_->last_leaf; leaf != nullptr; leaf = leaf->previous_leaf) {
    if (leaf->parameter != nullptr && leaf->slots[0].reached()) {
      finish(leaf->slots[0]);
      make_unique(leaf->slots[0].gradient);
      if (leaf->parameter->grad.defined()) {
        make_unique(leaf->parameter->grad);
      }
    }
  }
  for (Node* leaf = tape_.storage_->last_leaf; leaf != nullptr; leaf = leaf->previous_leaf) {
    Tensor& gradient = leaf->slots[0].gradient;
    if (leaf->parameter == nullptr || !gradient.defined()) {
      continue;
    }
    Tensor& grad = leaf->parameter->grad;
    if (grad.defined()) {
      ++grad.body().block->version;
      put(grad.body().data, grad.columns(), true, gradient);
    } else {
      grad = std::move(gradient);
    }
  }
}

void BackwardPass::add_tensor(const Node& node, const Input& input, const Tensor& contribution) {
  Slot& slot = input.slot();
  const Shape& expected = input.shape();
  check_shape(contribution.shape() == expected,
              "the gradient rule of '{}' returned shape {} for an input of shape {}", node.name,
              contribution.shape(), expected);
  check<UsageError>(contribution.dtype() == slot.dtype,
                    "the gradient rule of '{}' returned {} for an input of type {}", node.name,
                    name_of(contribution.dtype()), name_of(slot.dtype));
  if (create_graph_) {
    collect(slot, input.region, contribution);
  } else {
    contribute(Place::of(input), contribution);
  }
}

bool BackwardPass::defer(const Node& node, const Input& input, const MatrixOperand& a,
                         const MatrixOperand& b) {
  constexpr std::int64_t few_rows = 128;  // a product over more rows is efficient by itself
  if (input.node->run != nullptr || !a.transposed || b.transposed || a.tensor.rows() >= few_rows ||
      a.tensor.elements() == 0 || b.tensor.elements() == 0) {
    return false;
  }
  // A weight, or columns of one.
  const Place place = Place::of(input);
  const Shape& shape = place.slot->shape;
  if (place.rows != shape.rows() || place.row_stride != shape.columns() ||
      place.offset + place.columns > shape.columns()) {
    return false;
  }
  const Input* const merged = node.slots[0].merged;
  Slot* const source = merged == nullptr ? nullptr : Place::of(*merged).slot;
  defer_product(place, a.tensor, b.tensor, source, tape_.storage_->arena);
  return true;
}

void BackwardPass::collect(Slot& slot, const Region* region, const Tensor& contribution) {
  auto* const place = tape_.storage_->arena.allocate(sizeof(Contribution));
  slot.contributions = new (place) Contribution{contribution, region, slot.contributions};
}

void BackwardPass::locate(const Node& node, std::span<Gradients::Target> targets) {
  constexpr std::size_t most = 16;
  check<UsageError>(targets.size() <= most, "'{}': more than {} inputs need a gradient", node.name,
                    most);
  std::array<Place, most> places;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Input& input = node.inputs[targets[i].input];
    if (input.node != nullptr && input.node->wanted) {
      places[i] = Place::of(input);
    } else {
      places[i].slot = nullptr;
    }
  }
  aim(targets, {places.data(), targets.size()});
}

void BackwardPass::finish(Slot& slot) {
  if (!create_graph_) {
    if (slot.merged != nullptr) {
      finish_merged(slot);
    } else if (slot.products != nullptr || !slot.is_full()) {
      complete(slot);
    }
  } else if (slot.contributions != nullptr) {
    slot.gradient = assemble(slot);
  }
}

/// Makes a merged gradient a view of part of another one. Later contributions to that part come
/// from earlier operations; a kept gradient must not include them, so it is copied.
void BackwardPass::finish_merged(Slot& slot) {
  if (slot.gradient.defined()) {
    return;
  }
  const Place place = Place::of(*slot.merged);
  cover(*place.slot, place.begin(), place.end());
  slot.gradient = part(place.slot->gradient.detach(), {place.offset, place.row_stride, slot.shape});
  if (slot.keep) {
    slot.gradient = copy_of(slot.gradient);
  }
}

/// The sum of all contributions, each in its region, as one recorded operation.
Tensor BackwardPass::assemble(Slot& slot) {
  if (slot.contributions->next == nullptr && slot.contributions->region == nullptr) {
    Tensor only = std::move(slot.contributions->value);
    slot.contributions = nullptr;
    return only;
  }
  std::size_t count = 0;
  for (const Contribution* c = slot.contributions; c != nullptr; c = c->next) {
    ++count;
  }
  Arena& arena = tape_.storage_->arena;
  const Region** const regions = arena.allocate_array<const Region*>(count);
  auto* const inputs = arena.allocate_array<TensorRef>(count);
  Tensor sum = zeros(slot.shape, slot.dtype);
  std::size_t i = 0;
  for (const Contribution* c = slot.contributions; c != nullptr; c = c->next, ++i) {
    new (inputs + i) TensorRef(c->value);
    regions[i] = c->region;
    const std::int64_t offset = c->region == nullptr ? 0 : c->region->offset;
    put(sum.body().data + offset * static_cast<std::int64_t>(size_of(slot.dtype)),
        c->region == nullptr ? slot.shape.columns() : c->region->row_stride, true, c->value);
  }
  sum = record("assemble", std::span<const TensorRef>(inputs, count), std::move(sum), saved(),
               [regions, count](const Tensor& dy, Gradients& d) {
                 for (std::size_t k = 0; k < count; ++k) {
                   d.add(static_cast<int>(k),
                         [&] { return regions[k] == nullptr ? dy : part(dy, *regions[k]); });
                 }
               });
  for (; slot.contributions != nullptr; slot.contributions = slot.contributions->next) {
    slot.contributions->value.reset();
  }
  return sum;
}

}  // namespace rw::detail
