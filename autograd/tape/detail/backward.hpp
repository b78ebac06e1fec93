#pragma once

#include <span>

#include <rewind/autograd/tape/detail/tape_storage.hpp>
#include <rewind/autograd/tape/gradients.hpp>
#include <rewind/autograd/tape/packed_weights.hpp>
#include <rewind/autograd/tape/tape.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// One backward pass over a tape. Leaves every slot empty, even after an exception.
class __attribute__((visibility("hidden"))) BackwardPass {
 public:
  BackwardPass(Tape& tape, bool create_graph);
  ~BackwardPass();
  BackwardPass(const BackwardPass&) = delete;
  BackwardPass& operator=(const BackwardPass&) = delete;

  /// Checks that `root` can be differentiated; sets up the seed. Without `targets` all parameters
  /// are wanted.
  void begin(const Tensor& root, const Tensor& seed, std::span<const Link> targets,
             bool only_targets);
  void run(bool retain);

  /// The gradient that has reached an output; zeros if none has.
  Tensor take(const Link& target, const Shape& shape);
  /// Accumulates the gradients of the parameters' leaves in the parameters.
  void commit();

  void add_tensor(const Node& node, const Input& input, const Tensor& contribution);
  /// Accumulates x^T dy in a weight's gradient, later and together with others (Note [Gathered
  /// products]); false if it must be computed now.
  bool defer(const Node& node, const Input& input, const MatrixOperand& a, const MatrixOperand& b);
  void locate(const Node& node, std::span<Gradients::Target> targets);

 private:
  void mark(std::span<const Link> targets, bool only_targets);
  void collect(Slot& slot, const Region* region, const Tensor& contribution);
  void finish(Slot& slot);
  void finish_merged(Slot& slot);
  void check_gradients(const Node& node) const;
  Tensor assemble(Slot& slot);

  Tape& tape_;
  bool create_graph_;
  ThreadScope<Tape> recording_;
  Node* root_ = nullptr;
  bool only_targets_ = false;
  bool cleaned_ = false;  // every node that was reached is as it was before the pass
  const WeightScope weights_{WeightScope::Kind::backward};
};

}  // namespace rw::detail

#pragma GCC visibility pop
