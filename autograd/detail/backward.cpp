#include <algorithm>

#include <fmt/format.h>

#include <rewind/autograd/detail/backward.hpp>
#include <rewind/autograd/detail/gradient_slot.hpp>
#include <rewind/autograd/parameter.hpp>
#include <rewind/autograd/views.hpp>

namespace rw::detail {

namespace {

Tensor checked_seed(const Tensor& root, const Tensor& seed) {
  if (!seed.defined()) {
    check_shape(root.elements() == 1,
                "backward: the root has shape {}, expected a single number; reduce it (sum, mean) "
                "or give a seed of its shape",
                root.shape());
    return full(root.shape(), 1.0, root.dtype());
  }
  check_shape(seed.shape() == root.shape(),
              "backward: the seed has shape {}, expected the root's {}", seed.shape(),
              root.shape());
  check<UsageError>(seed.dtype() == root.dtype(),
                    "backward: the seed is {}, expected the root's {}", name_of(seed.dtype()),
                    name_of(root.dtype()));
  return seed;
}

/// Note [Version counters]
void check_saved(const Node& node) {
  check<UsageError>(!node.released,
                    "backward: what '{}' saved has been released by an earlier backward pass; "
                    "pass {{.retain = true}} to that pass to run another one",
                    node.name);
  for (std::uint32_t i = 0; i < node.saved_count; ++i) {
    const TensorBody& saved = node.saved[i].tensor.body();
    const std::uint32_t version = saved.block->version;
    if (version != node.saved[i].version) [[unlikely]] {
      throw UsageError(fmt::format(
          "backward: '{}' (operation {}) saved {} of shape {} which was changed afterwards: it is "
          "at "
          "version {}, expected {}; change it after the backward pass, or give the operation a "
          "clone()",
          node.name, node.index,
          saved.parameter != nullptr ? "parameter '" + saved.parameter->name + "'" : "a tensor",
          to_string(saved.shape), version, node.saved[i].version));
    }
  }
}

}  // namespace

BackwardPass::BackwardPass(Tape& tape, bool create_graph)
    : tape_(tape), create_graph_(create_graph), previous_tape_(context.tape) {
  context.tape = create_graph ? &tape : nullptr;
}

BackwardPass::~BackwardPass() {
  context.tape = previous_tape_;
  for (Node* node = tape_.storage_->last; node != nullptr; node = node->previous) {
    node->reachable = node->wanted = false;
    for (Slot& slot : node->slot_span()) {
      slot.gradient.reset();
      slot.keep = false;
      slot.filled_begin = slot.filled_end = 0;
      for (; slot.contributions != nullptr; slot.contributions = slot.contributions->next) {
        slot.contributions->value.reset();
      }
    }
  }
}

void BackwardPass::begin(const Tensor& root, const Tensor& seed, std::span<const Link> targets,
                         bool only_targets) {
  const TensorBody& body = root.body();
  Link link = body.link;
  if (body.parameter != nullptr && body.parameter->trainable) {
    link = {tape_.serial(), tape_.leaf_of(*body.parameter), 0, 0, body.shape.columns()};
  }
  check<UsageError>(link.node != nullptr,
                    "backward: the root (shape {}) was not recorded: it depends on no trainable "
                    "parameter and no watched tensor, or was computed before the tape began",
                    body.shape);
  check<UsageError>(link.tape == tape_.serial(),
                    "backward: the root (shape {}) was recorded on another tape, or on one that "
                    "has ended",
                    body.shape);
  const Tensor start = checked_seed(root, seed);
  root_ = link.node;
  mark(targets, only_targets);
  if (root_->reachable) {
    const bool whole = link.offset == 0 && body.shape == link.node->slots[link.output].shape;
    const Region region{link.offset, link.row_stride, body.shape};
    add_tensor(
        *link.node,
        {link.node, link.output,
         whole ? nullptr : new (tape_.storage_->arena.allocate(sizeof(Region))) Region(region)},
        create_graph_ ? start : start.detach());
  }
}

/// Finds the operations that will run, and checks them, before anything is written.
void BackwardPass::mark(std::span<const Link> targets, bool only_targets) {
  for (const Link& target : targets) {
    target.node->wanted = true;
    target.node->slots[target.output].keep = true;
  }
  for (Node* node = tape_.storage_->first;; node = node->next) {
    node->wanted = node->wanted || !only_targets;
    for (const Input& input : node->input_span()) {
      node->wanted = node->wanted || (input.node != nullptr && input.node->wanted);
    }
    if (node == root_) {
      break;
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
      check_saved(*node);
    }
  }
}

void BackwardPass::run(bool retain) {
  for (Node* node = root_; node != nullptr; node = node->previous) {
    if (!node->reachable || node->run == nullptr) {
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
      if (context.anomaly) {
        check_gradients(*node);
      }
      if (!keep) {
        for (Slot& slot : node->slot_span()) {
          slot.gradient.reset();
        }
      }
    }
    if (!retain) {
      node->released = true;
      for (Saved& saved : node->saved_span()) {
        saved.tensor.reset();
      }
    }
  }
}

/// Note [Anomaly mode]: the gradients that a rule has added to are read once more.
void BackwardPass::check_gradients(const Node& node) const {
  for (const Input& input : node.input_span()) {
    if (input.node == nullptr || !input.node->wanted) {
      continue;
    }
    const Slot& slot = input.node->slots[input.output];
    for (const Contribution* c = slot.contributions; c != nullptr; c = c->next) {
      check_finite_gradient(node.name, c->value);
    }
    if (slot.gradient.defined() && slot.filled_begin < slot.filled_end) {
      check_finite_gradient(node.name, part(slot.gradient.detach(),
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
  auto& leaves = tape_.storage_->leaves.entries();
  // Everything that can fail comes first, so that either all gradients change or none.
  for (const LeafTable::Entry& entry : leaves) {
    if (entry.leaf != nullptr && entry.leaf->slots[0].reached()) {
      finish(entry.leaf->slots[0]);
      make_unique(entry.leaf->slots[0].gradient);
      if (entry.parameter->grad.defined()) {
        make_unique(entry.parameter->grad);
      }
    }
  }
  for (const LeafTable::Entry& entry : leaves) {
    if (entry.leaf == nullptr || !entry.leaf->slots[0].gradient.defined()) {
      continue;
    }
    Tensor& gradient = entry.leaf->slots[0].gradient;
    Tensor& grad = entry.parameter->grad;
    if (grad.defined()) {
      ++grad.body().block->version;
      put(grad.body().data, grad.columns(), true, gradient);
    } else {
      grad = std::move(gradient);
    }
  }
}

void BackwardPass::add_tensor(const Node& node, const Input& input, const Tensor& contribution) {
  Slot& slot = input.node->slots[input.output];
  const Shape& expected = input.region == nullptr ? slot.shape : input.region->shape;
  check_shape(contribution.shape() == expected,
              "the gradient rule of '{}' gave shape {} for an input of shape {}", node.name,
              contribution.shape(), expected);
  check<UsageError>(contribution.dtype() == slot.dtype,
                    "the gradient rule of '{}' gave {} for an input of type {}", node.name,
                    name_of(contribution.dtype()), name_of(slot.dtype));
  if (create_graph_) {
    collect(slot, input.region, contribution);
  } else {
    contribute(slot, input.region, contribution);
  }
}

void BackwardPass::collect(Slot& slot, const Region* region, const Tensor& contribution) {
  auto* const place = tape_.storage_->arena.allocate(sizeof(Contribution));
  slot.contributions = new (place) Contribution{contribution, region, slot.contributions};
}

void BackwardPass::locate(const Node& node, std::span<Gradients::Target> targets) {
  const auto slot_of = [&](const Gradients::Target& t) -> Slot& {
    const Input& input = node.inputs[t.input];
    return input.node->slots[input.output];
  };
  const auto region_of = [&](const Gradients::Target& t) { return node.inputs[t.input].region; };
  const auto wanted = [&](const Gradients::Target& t) {
    const Input& input = node.inputs[t.input];
    return input.node != nullptr && input.node->wanted;
  };
  constexpr std::size_t most = 32;
  Extent extents[most];
  check<UsageError>(targets.size() <= most, "'{}': more than {} inputs need a gradient", node.name,
                    most);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    targets[i].data = nullptr;
    if (wanted(targets[i])) {
      extents[i] = Extent::of(slot_of(targets[i]), region_of(targets[i]));
    }
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i].data != nullptr || !wanted(targets[i])) {
      continue;
    }
    Slot& slot = slot_of(targets[i]);
    const Region* const region = region_of(targets[i]);
    Extent extent = extents[i];
    bool grouped = false;
    if (region != nullptr && !extent.dense) {
      // Do all column slices of this slot tile the same rows?
      std::int64_t columns = 0;
      std::int64_t first = extent.begin;
      bool tiled = true;
      for (std::size_t j = 0; j < targets.size(); ++j) {
        if (!wanted(targets[j]) || &slot_of(targets[j]) != &slot) {
          continue;
        }
        const Region* const other = region_of(targets[j]);
        tiled = tiled && other != nullptr && other->row_stride == region->row_stride &&
                other->shape.rows() == region->shape.rows();
        for (std::size_t k = 0; tiled && k < j; ++k) {
          tiled = !wanted(targets[k]) || &slot_of(targets[k]) != &slot ||
                  region_of(targets[k])->offset != other->offset;
        }
        columns += tiled ? other->shape.columns() : 0;
        first = tiled ? std::min(first, other->offset) : first;
      }
      if (tiled && columns == region->row_stride && first % region->row_stride == 0) {
        extent = {first, first + region->shape.rows() * region->row_stride, true};
        grouped = true;
      }
    }
    const bool accumulate = prepare(slot, extent);
    for (std::size_t j = i; j < targets.size(); ++j) {
      if (j == i || (grouped && wanted(targets[j]) && &slot_of(targets[j]) == &slot)) {
        targets[j].data = region_data(slot, region_of(targets[j]));
        targets[j].row_stride = region_of(targets[j]) == nullptr
                                    ? slot.shape.columns()
                                    : region_of(targets[j])->row_stride;
        targets[j].accumulate = accumulate;
      }
    }
    if (!grouped && !accumulate) {
      // A kernel writes element by element; where a later target overlaps this one without being
      // the same, writing here could undo what it has added already.
      for (std::size_t j = i + 1; j < targets.size(); ++j) {
        if (wanted(targets[j]) && &slot_of(targets[j]) == &slot && extents[j].overlaps(extent) &&
            (extents[j].begin != extent.begin || extents[j].end != extent.end ||
             !extents[j].dense)) {
          clear(slot, extent.begin, extent.end);
          targets[i].accumulate = true;
          break;
        }
      }
    }
  }
}

void BackwardPass::finish(Slot& slot) {
  if (!create_graph_) {
    complete(slot);
  } else if (slot.contributions != nullptr) {
    slot.gradient = assemble(slot);
  }
}

/// The sum of all contributions, each in its place, as one recorded operation.
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
