#include <vector>

#include <rewind/autograd/detail/fused_rule.hpp>
#include <rewind/autograd/detail/pointwise_loop.hpp>
#include <rewind/autograd/gradients.hpp>
#include <rewind/autograd/math.hpp>
#include <rewind/autograd/reduce.hpp>

// The gradient of a fused operation, in both ways (Note [Two ways a rule runs]).

namespace rw::pointwise {
namespace {

/// The saved tensors of a fused node, by argument of its gradient: x..., y...; null where none was
/// saved.
std::array<const Tensor*, max_streams> saved_tensors(const detail::Node& node,
                                                     const FusedRule& rule) {
  std::array<const Tensor*, max_streams> tensors{};
  const std::size_t n = rule.operation->program->argument_count;
  const std::size_t m = rule.operation->program->output_count;
  std::size_t next = 0;
  for (std::size_t k = 0; k < n + m; ++k) {
    if (bit(rule.operation->derivative_reads, k) && (k >= n || bit(rule.tensors, k))) {
      tensors[k] = &node.saved[next++].tensor;
    }
  }
  return tensors;
}

const Shape& shape_of(const detail::Input& input) {
  return input.region != nullptr ? input.region->shape : input.node->slots[input.output].shape;
}

/// The gradient as one fused pass that writes or adds straight into the inputs' gradients.
template <class T>
void add_gradients_now(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  const FusedOperation& operation = *rule.operation;
  const std::size_t n = operation.program->argument_count;
  const std::size_t m = operation.program->output_count;
  const Shape& common = node.slots[0].shape;
  const auto saved = saved_tensors(node, rule);

  std::array<Gradients::Target, max_arguments> targets;
  std::array<std::size_t, max_arguments> target_of{};
  std::size_t target_count = 0;
  int input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    target_of[k] = max_arguments;
    if (bit(rule.tensors, k)) {
      if (d.wants(input)) {
        targets[target_count].input = input;
        target_of[k] = target_count++;
      }
      ++input;
    }
  }
  d.locate(std::span(targets.data(), target_count));

  Scalars<T> scalars;
  Loop loop(common);
  for (std::size_t k = 0; k < n + 2 * m; ++k) {
    const Tensor* tensor = saved[k];
    if (k >= n + m && d.cotangent(static_cast<int>(k - n - m)).defined()) {
      tensor = &d.cotangent(static_cast<int>(k - n - m));
    }
    if (tensor != nullptr) {
      loop.add_argument(tensor->data<T>(), steps_of(tensor->shape(), tensor->row_stride(), common));
    } else {
      // A number, the gradient of an output that does not reach the loss, or an argument that is
      // not read.
      scalars[k] = k < n && !bit(rule.tensors, k) ? static_cast<T>(rule.scalars[k]) : T(0);
      loop.add_argument(&scalars[k], {});
    }
  }
  input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t number = target_of[k];
    if (number == max_arguments) {
      loop.add_result(nullptr, {}, false);
    } else {
      const Gradients::Target& target = targets[number];
      const Shape& shape = shape_of(node.inputs[input]);
      T* const data = static_cast<T*>(target.data);
      bool accumulate = target.accumulate;
      if (shape != common && !accumulate) {
        // Where the argument was stretched, the gradients of its copies are summed.
        for (std::int64_t r = 0, rows = shape.elements() == 0 ? 0 : shape.rows(); r < rows; ++r) {
          std::fill_n(data + r * target.row_stride, shape.columns(), T(0));
        }
        accumulate = true;
      }
      loop.add_result(data, steps_of(shape, target.row_stride, common), accumulate);
    }
    input += bit(rule.tensors, k) ? 1 : 0;
  }
  loop.run(sizeof(T) == 4 ? operation.backward32 : operation.backward64, sizeof(T));
}

/// The gradient as recorded operations on tensors: the same formula, a term at a time.
void add_gradients_recorded(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  const Program& program = *rule.operation->derivative;
  const std::size_t n = rule.operation->program->argument_count;
  const std::size_t m = rule.operation->program->output_count;
  const auto saved = saved_tensors(node, rule);
  const DType dtype = node.slots[0].dtype;

  std::vector<bool> needed(program.size);
  int input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    if (bit(rule.tensors, k) && d.wants(input++)) {
      needed[static_cast<std::size_t>(program.outputs[k])] = true;
    }
  }
  for (std::size_t i = program.size; i-- > 0;) {
    const Term& term = program.terms[i];
    for (std::size_t k = 0; needed[i] && k < 3 && term.kind == Term::Kind::operation; ++k) {
      if (term.operands[k] >= 0) {
        needed[static_cast<std::size_t>(term.operands[k])] = true;
      }
    }
  }

  std::vector<Tensor> value(program.size);
  for (std::size_t i = 0; i < program.size; ++i) {
    const Term& term = program.terms[i];
    if (!needed[i]) {
      continue;
    }
    if (term.kind == Term::Kind::constant) {
      value[i] = scalar(term.value, dtype);
    } else if (term.kind == Term::Kind::argument) {
      const auto k = static_cast<std::size_t>(term.operands[0]);
      const Tensor* cotangent = k >= n + m ? &d.cotangent(static_cast<int>(k - n - m)) : nullptr;
      value[i] = saved[k] != nullptr                            ? *saved[k]
                 : cotangent != nullptr && cotangent->defined() ? *cotangent
                 : k < n                                        ? scalar(rule.scalars[k], dtype)
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
    d.add(input, [&] {
      const Shape& shape = shape_of(node.inputs[input]);
      const Tensor& gradient = value[static_cast<std::size_t>(program.outputs[k])];
      // A formula may give less than the common shape, where it does not depend on all of its
      // arguments.
      return sum_to(expand(gradient, broadcast("gradient", gradient.shape(), shape)), shape);
    });
    ++input;
  }
}

}  // namespace

void run_fused_rule(const detail::Node& node, Gradients& d) {
  const auto& rule = *static_cast<const FusedRule*>(node.rule);
  if (d.recording()) {
    add_gradients_recorded(node, rule, d);
  } else if (node.slots[0].dtype == DType::float32) {
    add_gradients_now<float>(node, rule, d);
  } else {
    add_gradients_now<double>(node, rule, d);
  }
}

}  // namespace rw::pointwise
