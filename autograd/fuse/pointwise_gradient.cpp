#include <algorithm>
#include <bit>
#include <vector>

#include <rewind/autograd/fuse/broadcast.hpp>
#include <rewind/autograd/fuse/detail/captured_pass.hpp>
#include <rewind/autograd/fuse/detail/fused_rule.hpp>
#include <rewind/autograd/fuse/detail/pointwise_tiles.hpp>
#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/tape/gradients.hpp>
#include <rewind/autograd/tape/record.hpp>

// The gradient of a fused operation, in both ways (Note [Two ways a rule runs]).

namespace rw::pointwise {
namespace {

/// Calls body(k, tensor) for each argument that a fused node's gradient reads, of x..., y...,
/// dy...; `tensor` is null for a number, and for the gradient of an output on which the loss does
/// not depend.
template <class Body>
void for_arguments(const detail::Node& node, const FusedRule& rule, const Gradients& d,
                   Body&& body) {
  const std::size_t n = rule.operation->program->argument_count;
  const std::size_t m = rule.operation->program->output_count;
  const detail::Saved* saved = node.saved;
  for (std::uint64_t bits = rule.operation->derivative_reads; bits != 0; bits &= bits - 1) {
    const auto k = static_cast<std::size_t>(std::countr_zero(bits));
    if (k >= n + m) {
      const Tensor& cotangent = d.cotangent(static_cast<int>(k - n - m));
      body(k, cotangent.defined() ? &cotangent : nullptr);
    } else {
      body(k, k >= n || bit(rule.tensors, k) ? &saved++->tensor : nullptr);
    }
  }
}

/// Whether argument k, which is a tensor and the node's input `input`, gets a gradient here. A
/// gradient that is 0 everywhere, as for a comparison, is not passed on: earlier operations would
/// multiply it by their derivatives, which may be infinite.
bool gets_gradient(const FusedRule& rule, const Gradients& d, std::size_t k, int input) {
  return bit(rule.operation->slopes, k) && d.wants(input);
}

/// If an argument broadcasts to `common`, its gradient is a sum, which starts from zeros unless
/// there is a gradient already.
template <class T>
void clear_broadcast(Gradients::Target& target, const Shape& shape, const Shape& common) {
  if (shape != common) {
    Gradients::rows_of<T>(target, shape).clear_if_new();
    target.accumulate = true;
  }
}

/// The value of a gradient's argument that is not a tensor: a number, or 0 for the gradient of an
/// output on which the loss does not depend and for an argument that is not read.
template <class T>
T number_of(const FusedRule& rule, std::size_t k) {
  const bool is_number = k < rule.operation->program->argument_count && !bit(rule.tensors, k);
  return is_number ? static_cast<T>(rule.scalars[k]) : T(0);
}

/// Up to this size the loops over arguments dominate the cost of an operation.
constexpr std::int64_t few_elements = 128;

/// Note [Fast path of fused operations]. Not inlined: it has a large frame.
template <class T>
[[gnu::noinline]] void add_plain_gradients(const detail::Node& node, const FusedRule& rule,
                                           Gradients& d) {
  const Program& program = *rule.operation->program;
  Tiles<T> row(1, node.slots[0].shape.elements(),
               2 * program.argument_count + program.output_count);
  for_arguments(node, rule, d, [&](std::size_t k, const Tensor* tensor) {
    if (tensor != nullptr) {
      row.set_argument(k, tensor->body().data, 0);
    } else {
      row.set_number(k, number_of<T>(rule, k));
    }
  });
  int input = 0;
  for (std::size_t k = 0; k < program.argument_count; ++k) {
    if (!bit(rule.tensors, k) || !gets_gradient(rule, d, k, input++)) {
      row.skip_result();
      continue;
    }
    bool accumulate = false;
    void* const data = d.locate_whole(input - 1, accumulate);
    row.add_result(data, 0, accumulate);
  }
  row.run(rule.operation->backward<T>());
}

/// The same for one result of N tensors of few elements: most of the remaining cost is loops over
/// N, which the compiler unrolls here.
template <class T, std::size_t N>
void add_small_gradients(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  T buffers[N][few_elements];
  T* later[N];
  Block block;
  block.rows = 1;
  block.columns = node.slots[0].shape.elements();
  const detail::Saved* saved = node.saved;
  const std::uint64_t reads = rule.operation->derivative_reads;
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    (
        [&] {
          if (bit(reads, K)) {
            block.arguments[K].data = saved++->tensor.body().data;
          }
        }(),
        ...);
  }
  (std::make_index_sequence<N + 1>{});
  block.arguments[N + 1].data = d.cotangent(0).body().data;
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    (
        [&] {
          bool accumulate = false;
          T* const data = gets_gradient(rule, d, K, K)
                              ? static_cast<T*>(d.locate_whole(K, accumulate))
                              : buffers[K];
          later[K] = accumulate ? data : nullptr;
          block.results[K].data = accumulate ? buffers[K] : data;
        }(),
        ...);
    rule.operation->backward<T>()(block);
    ((later[K] != nullptr ? kernels::add_rows<T>(later[K], block.columns, buffers[K], block.columns,
                                                 1, block.columns)
                          : void()),
     ...);
  }
  (std::make_index_sequence<N>{});
}

template <class T>
void run_plain(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  const std::size_t n = rule.operation->program->argument_count;
  const bool all_small = node.slots[0].shape.elements() <= few_elements && node.output_count == 1 &&
                         node.input_count == n;
  if (all_small && n == 1) {
    add_small_gradients<T, 1>(node, rule, d);
  } else if (all_small && n == 2) {
    add_small_gradients<T, 2>(node, rule, d);
  } else {
    add_plain_gradients<T>(node, rule, d);
  }
}

/// The gradient as one fused pass that writes to or accumulates in the inputs' gradients directly.
template <class T>
void add_gradients_now(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  const FusedOperation& operation = *rule.operation;
  const std::size_t n = operation.program->argument_count;
  const std::size_t m = operation.program->output_count;
  const Shape& common = node.slots[0].shape;

  // Only the used parts of arrays are initialised: this runs for every operation of a backward
  // pass.
  std::array<Gradients::Target, max_arguments> targets;
  std::array<std::int8_t, max_arguments> target_of;  // -1: not wanted
  std::array<const Shape*, max_arguments> shapes;
  std::size_t target_count = 0;
  int input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    target_of[k] = -1;
    if (bit(rule.tensors, k)) {
      if (gets_gradient(rule, d, k, input)) {
        shapes[k] = &node.inputs[input].shape();
        target_of[k] = static_cast<std::int8_t>(target_count);
        targets[target_count++].input = input;
      }
      ++input;
    }
  }
  d.locate(std::span(targets.data(), target_count));
  const auto target = [&](std::size_t k) {
    return target_of[k] < 0 ? nullptr : &targets[static_cast<std::size_t>(target_of[k])];
  };

  Scalars<T> scalars;
  std::array<const Tensor*, max_streams> arguments;
  for (std::size_t k = 0; k < n + 2 * m; ++k) {
    scalars[k] = number_of<T>(rule, k);
    arguments[k] = nullptr;
  }
  for_arguments(node, rule, d, [&](std::size_t k, const Tensor* tensor) { arguments[k] = tensor; });

  const auto fill = [&](auto& pass) {
    for (std::size_t k = 0; k < n + 2 * m; ++k) {
      if (!bit(operation.derivative_reads, k)) {
        pass.skip_argument();
      } else if (arguments[k] == nullptr) {
        pass.add_number(&scalars[k]);
      } else {
        const detail::TensorBody& body = arguments[k]->body();
        pass.add_argument(body.data, body.shape, body.row_stride);
      }
    }
    for (std::size_t k = 0; k < n; ++k) {
      if (Gradients::Target* const t = target(k)) {
        clear_broadcast<T>(*t, *shapes[k], common);
        pass.add_result(t->data, *shapes[k], t->row_stride, t->accumulate);
      } else {
        pass.skip_result();
      }
    }
  };
  if (detail::context.capture != nullptr) [[unlikely]] {
    CapturedPass<T> pass(operation.backward<T>(), operation.backward_work, common);
    fill(pass);
    launch(pass);
    return;
  }
  Pass pass(common);
  fill(pass);
  pass.run<T>(operation.backward<T>(), operation.backward_work);
}

/// The gradient as recorded operations on tensors: the same formula, one term at a time.
void add_gradients_recorded(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  const Program& program = *rule.operation->derivative;
  const std::span<const Term> terms(program.terms.data(), program.size);
  const std::size_t n = rule.operation->program->argument_count;
  std::array<const Tensor*, max_streams> arguments{};
  for_arguments(node, rule, d, [&](std::size_t k, const Tensor* tensor) { arguments[k] = tensor; });
  const DType dtype = node.slots[0].dtype;

  std::vector<bool> needed(terms.size());
  int input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    if (bit(rule.tensors, k) && gets_gradient(rule, d, k, input++)) {
      needed[static_cast<std::size_t>(program.outputs[k])] = true;
    }
  }
  for (std::size_t i = terms.size(); i-- > 0;) {
    const Term& term = terms[i];
    for (std::size_t k = 0; needed[i] && k < 3 && term.kind == Term::Kind::operation; ++k) {
      if (term.operands[k] >= 0) {
        needed[static_cast<std::size_t>(term.operands[k])] = true;
      }
    }
  }

  std::vector<Tensor> value(terms.size());
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const Term& term = terms[i];
    if (!needed[i]) {
      continue;
    }
    if (term.kind == Term::Kind::constant) {
      value[i] = scalar(term.value, dtype);
    } else if (term.kind == Term::Kind::argument) {
      const auto k = static_cast<std::size_t>(term.operands[0]);
      value[i] = arguments[k] != nullptr ? *arguments[k]
                 : k < n                 ? scalar(rule.scalars[k], dtype)
                                         : scalar(0.0, dtype);
    } else {
      const auto operand = [&](std::size_t k) -> const Tensor& {
        return value[static_cast<std::size_t>(term.operands[k])];
      };
      value[i] =
          term.operands[1] < 0 ? detail::apply_pointwise(term.operation, {operand(0)})
          : term.operands[2] < 0
              ? detail::apply_pointwise(term.operation, {operand(0), operand(1)})
              : detail::apply_pointwise(term.operation, {operand(0), operand(1), operand(2)});
    }
  }
  input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    if (!bit(rule.tensors, k)) {
      continue;
    }
    if (gets_gradient(rule, d, k, input)) {
      d.add(input, [&] {
        const Shape& shape = node.inputs[input].shape();
        const Tensor& gradient = value[static_cast<std::size_t>(program.outputs[k])];
        // A formula that does not depend on all of its arguments may have a smaller shape than the
        // common one.
        return sum_to(
            detail::broadcast_to(gradient, broadcast("gradient", gradient.shape(), shape)), shape);
      });
    }
    ++input;
  }
}

}  // namespace

void run_fused_rule(const detail::Node& node, Gradients& d) {
  const auto& rule = *static_cast<const FusedRule*>(node.rule);
  if (rule.operation->slopes == 0) {
    return;
  }
  if (d.recording()) {
    add_gradients_recorded(node, rule, d);
  } else if (node.slots[0].dtype == DType::float32) {
    add_gradients_now<float>(node, rule, d);
  } else {
    add_gradients_now<double>(node, rule, d);
  }
}

void run_plain_rule(const detail::Node& node, Gradients& d) {
  const auto& rule = *static_cast<const FusedRule*>(node.rule);
  const std::span<const detail::Slot> outputs = node.slot_span();
  const bool plain = rule.operation->slopes != 0 &&
                     runs_alone(outputs[0].shape.elements(), rule.operation->backward_work) &&
                     std::all_of(outputs.begin(), outputs.end(), [](const detail::Slot& slot) {
                       return !slot.gradient.defined() || slot.gradient.is_contiguous();
                     });
  if (d.recording() || !plain || detail::context.capture != nullptr) {
    run_fused_rule(node, d);
  } else if (outputs[0].dtype == DType::float32) {
    run_plain<float>(node, rule, d);
  } else {
    run_plain<double>(node, rule, d);
  }
}

}  // namespace rw::pointwise
