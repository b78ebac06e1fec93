#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <rewind/autograd/tape/record.hpp>

namespace rw {

namespace detail {
struct TapeStorage;
class Recorder;
}  // namespace detail

struct BackwardOptions {
  /// Gradient of the root; defaults to 1 for a single number, and is required otherwise.
  Tensor seed = {};
  /// Keep the saved tensors, so that another backward pass can run over the same operations.
  bool retain = false;
};

struct GradientOptions {
  Tensor seed = {};
  bool retain = false;
  /// Record the gradient's own computation, so that it can be differentiated again. Implies
  /// `retain`.
  bool create_graph = false;
};

/// The record of a computation, played backwards to get gradients.
///
/// While a Tape is alive, it records its thread's operations on parameters, watched tensors and
/// whatever is computed from them; the innermost tape counts. It belongs to the thread that made
/// it; another thread may destroy it while that one does not compute, or after that one has ended.
/// When the tape ends, tensors keep their values and become constants.
///
///     Tape tape;
///     Tensor loss = mse(model(x), y);
///     tape.backward(loss);          // accumulates in every parameter's grad()
class Tape {
 public:
  /// Throws UsageError if 1,024 tapes, over all threads, are already alive.
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// A tensor with the values of `x` (shared) whose gradient can be requested. Throws UsageError
  /// for an integer tensor.
  Tensor watch(const Tensor& x);

  /// Accumulates d root / d w in the gradient of every trainable parameter w that `root` depends
  /// on.
  ///
  /// Throws ShapeError when `root` is not a single number and no seed is given; UsageError when it
  /// does not depend on anything recorded here, on another thread, after an earlier pass without
  /// `retain`, or when a tensor that a gradient rule needs was changed since. After an exception no
  /// parameter's gradient has changed.
  void backward(const Tensor& root, const BackwardOptions& options = {});

  /// d y / d x for each x of `xs` (watched tensors, parameters, or intermediate results); zeros
  /// where y does not depend on x. Parameters' own gradients stay as they are. Throws as backward()
  /// does.
  std::vector<Tensor> gradient(const Tensor& y, std::initializer_list<TensorRef> xs,
                               const GradientOptions& options = {});
  std::vector<Tensor> gradient(const Tensor& y, std::span<const TensorRef> xs,
                               const GradientOptions& options = {});

  /// Number of recorded operations (leaves and views do not count).
  std::int64_t operations() const;
  /// Names of the recorded operations, in order.
  std::vector<std::string> operation_names() const;
  /// The recorded graph in Graphviz's dot language, with a legend. A parameter is labelled with the
  /// path that parameters(model) gave it, or its number in the order of first use.
  std::string to_dot() const;

  /// The tape that records on this thread, or null.
  static Tape* active() { return detail::context.tape; }
  std::uint64_t serial() const { return serial_; }

 private:
  friend class detail::BackwardPass;
  friend class detail::Recorder;
  friend detail::Link detail::link_of(const Tensor& x);
  friend void* detail::tape_memory(std::size_t bytes);

  detail::Node* leaf_of(detail::ParameterBody& parameter);
  detail::Node* make_leaf(detail::ParameterBody& parameter);
  /// Where a tensor came from on this tape: a node, and the tensor's link to it, which is null for
  /// a parameter: it is a whole leaf. No node for a constant. Throws as link_of does.
  struct Origin {
    detail::Node* node = nullptr;
    const detail::Link* link = nullptr;
  };
  Origin origin_of(const detail::TensorBody& body);
  /// Throws UsageError when the tape of `link`, not this one, is still alive.
  static void check_ended(const detail::Link& link, const Shape& shape);
  detail::Node* append_leaf(const char* name, const Tensor& value);
  void check_owner(const char* what) const;

  std::uint64_t serial_;
  detail::TapeStorage* storage_;
  detail::ThreadScope<Tape> scope_;
};

/// Stops recording on this thread until the end of the scope; results inside are constants.
class StopRecording {
 public:
  StopRecording() : scope_(detail::context.tape, detail::tape_scopes, nullptr) {}

 private:
  detail::ThreadScope<Tape> scope_;
};

}  // namespace rw
