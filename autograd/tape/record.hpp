#pragma once
// How an operation is written: compute the value in kernels that it launches, then record() it with
// its gradient rule.

#include <array>
#include <concepts>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include <rewind/autograd/tape/gradients.hpp>
#include <rewind/autograd/tape/node.hpp>
#include <rewind/autograd/tape/operand.hpp>
#include <rewind/autograd/tensor/launch.hpp>
#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/autograd/tensor/thread_scope.hpp>

namespace rw {

class AnomalyMode;

/// Refers to a tensor for the duration of a call; made from a Tensor or a Parameter.
class TensorRef {
 public:
  TensorRef() = default;
  template <class T>
  requires std::convertible_to<const T&, const Tensor&>
  explicit(false) TensorRef(const T& tensor) : tensor_(&static_cast<const Tensor&>(tensor)) {}
  const Tensor& get() const { return *tensor_; }
  explicit(false) operator const Tensor&() const { return *tensor_; }

 private:
  const Tensor* tensor_;
};

namespace detail {

class CaptureLog;

/// The calling thread's state: tells record() whether there is anything to do.
struct Context {
  Tape* tape = nullptr;            // operations are recorded here
  AnomalyMode* anomaly = nullptr;  // look for NaN and infinity
  CaptureLog* capture = nullptr;   // a capture is under way
};
// Note [One variable per process]
extern constinit thread_local Context context;
extern constinit thread_local ThreadScope<Tape>* tape_scopes;
extern constinit thread_local ThreadScope<AnomalyMode>* anomaly_scopes;

/// The unfinished node of an operation, or null if none of `inputs` is tracked. Links `outputs` to
/// it.
Node* begin_node(const char* name, std::span<const TensorRef> inputs,
                 std::span<const Tensor> outputs, std::size_t saved_count, std::size_t rule_bytes);
/// For a capture.
void note_operation(const char* name, std::span<const TensorRef> inputs,
                    std::span<const Tensor> outputs);
/// For AnomalyMode: throw a NonFiniteError that names the operation and, if it did not produce the
/// first NaN or infinity itself, the input that contained it.
void check_finite_outputs(const char* name, std::span<const TensorRef> inputs,
                          std::span<const Tensor> outputs);
void check_finite_outputs(const char* name, std::span<const Operand> inputs,
                          std::span<const Tensor> outputs);
void check_finite_gradient(const Node& node, const Tensor& gradient);
void check_finite_seed(const Tensor& seed);
/// Fills a place that is still empty.
inline void save(Saved& place, const Tensor& tensor) {
  new (&place) Saved{tensor, tensor.body().block->version};
}
/// Memory that lives as long as the active tape's nodes, for what a rule captures by pointer.
void* tape_memory(std::size_t bytes);

template <bool Several, class Rule, std::size_t N>
void run_rule(const Node& node, Gradients& d) {
  const Rule& rule = *static_cast<const Rule*>(node.rule);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    if constexpr (Several) {
      rule(d, node.saved[I].tensor...);
    } else {
      rule(d.cotangent(0), d, node.saved[I].tensor...);
    }
  }
  (std::make_index_sequence<N>{});
}

template <bool Several, std::size_t N, class Rule>
void record(const char* name, std::span<const TensorRef> inputs, std::span<const Tensor> outputs,
            const std::array<TensorRef, N>& saved, Rule rule) {
  static_assert(std::is_trivially_destructible_v<Rule> && std::is_trivially_copyable_v<Rule>,
                "a gradient rule captures only plain values; pass tensors through saved(...), "
                "which also guards their versions");
  static_assert(alignof(Rule) <= 8);
  if (context.tape == nullptr && context.anomaly == nullptr && context.capture == nullptr) {
    return;
  }
  if (context.anomaly != nullptr) {
    check_finite_outputs(name, inputs, outputs);
  }
  if (context.capture != nullptr) {
    note_operation(name, inputs, outputs);
  }
  Node* const node =
      context.tape == nullptr ? nullptr : begin_node(name, inputs, outputs, N, sizeof(Rule));
  if (node == nullptr) {
    return;
  }
  for (std::size_t i = 0; i < N; ++i) {
    save(node->saved[i], saved[i]);
  }
  new (const_cast<void*>(node->rule)) Rule(rule);
  node->run = &run_rule<Several, Rule, N>;
}

}  // namespace detail

/// The tensors that a gradient rule reads; it receives them, in this order, after its fixed
/// arguments.
template <class... T>
std::array<TensorRef, sizeof...(T)> saved(const T&... tensors) {
  return {TensorRef(tensors)...};
}

/// Records `value = name(inputs...)` on the active tape and returns `value`.
///
/// `rule(dy, d, saved...)` accumulates in `d` the gradient of each input, given the gradient `dy`
/// of the value. It is written with the same operations that users call (Note [Two ways a rule
/// runs]), captures only plain values, and gets the tensors it needs through `saved`. `value` must
/// be a new tensor. `name` must outlive the tape (a string literal).
///
///     Tensor scale(const Tensor& x, double k) {
///       return record("scale", {x}, x * k, saved(),
///                     [k](const Tensor& dy, Gradients& d) { d.add(0, [&] { return dy * k; }); });
///     }
///
/// Loops of your own over memory go into launch(), so that capture() can repeat them.
template <std::size_t N, class Rule>
Tensor record(const char* name, std::initializer_list<TensorRef> inputs, Tensor value,
              const std::array<TensorRef, N>& saved, Rule rule) {
  detail::record<false>(name, {inputs.begin(), inputs.size()}, {&value, 1}, saved, rule);
  return value;
}

/// The same with a number of inputs known only at run time.
template <std::size_t N, class Rule>
Tensor record(const char* name, std::span<const TensorRef> inputs, Tensor value,
              const std::array<TensorRef, N>& saved, Rule rule) {
  detail::record<false>(name, inputs, {&value, 1}, saved, rule);
  return value;
}

/// Records an operation with several outputs: `rule(d, saved...)` reads their gradients as
/// `d.cotangent(i)`, undefined for an output on which the loss does not depend.
template <std::size_t N, class Rule>
void record_several(const char* name, std::span<const TensorRef> inputs,
                    std::span<const Tensor> outputs, const std::array<TensorRef, N>& saved,
                    Rule rule) {
  detail::record<true>(name, inputs, outputs, saved, rule);
}

}  // namespace rw
