#include <vector>

#include <rewind/autograd/detail/fused_rule.hpp>
#include <rewind/autograd/detail/pointwise_loop.hpp>
#include <rewind/autograd/detail/pointwise_rows.hpp>
#include <rewind/autograd/gradients.hpp>
#include <rewind/autograd/math.hpp>
#include <rewind/autograd/reduce.hpp>

// The gradient of a fused operation, in both ways (Note [Two ways a rule runs]).

namespace rw::pointwise {
namespace {

/// The arguments of a fused node's gradient: x..., y..., dy...; null for one that was not saved or
/// does not reach the loss.
void find_arguments(const detail::Node& node, const FusedRule& rule, const Gradients& d,
                    const Tensor** tensors) {
  const std::size_t n = rule.operation->program->argument_count;
  const std::size_t m = rule.operation->program->output_count;
  std::size_t next = 0;
  for (std::size_t k = 0; k < n + m; ++k) {
    const bool is_saved =
        bit(rule.operation->derivative_reads, k) && (k >= n || bit(rule.tensors, k));
    tensors[k] = is_saved ? &node.saved[next++].tensor : nullptr;
  }
  for (std::size_t k = 0; k < m; ++k) {
    const Tensor& cotangent = d.cotangent(static_cast<int>(k));
    tensors[n + m + k] = cotangent.defined() ? &cotangent : nullptr;
  }
}

const Shape& shape_of(const detail::Input& input) {
  return input.region != nullptr ? input.region->shape : input.node->slots[input.output].shape;
}

/// Where an argument was stretched to `common`, the gradients of its copies are summed: they are
/// added, if need be to zeros.
template <class T>
void clear_stretched(Gradients::Target& target, const Shape& shape, const Shape& common) {
  if (shape == common || target.accumulate) {
    return;
  }
  T* const data = static_cast<T*>(target.data);
  for (std::int64_t r = 0, rows = shape.elements() == 0 ? 0 : shape.rows(); r < rows; ++r) {
    std::fill_n(data + r * target.row_stride, shape.columns(), T(0));
  }
  target.accumulate = true;
}

/// What a gradient's argument is in place of a tensor: a number, or 0 for the gradient of an output
/// that does not reach the loss and for an argument that is not read.
template <class T>
T number_of(const FusedRule& rule, std::size_t k) {
  const bool is_number = k < rule.operation->program->argument_count && !bit(rule.tensors, k);
  return is_number ? static_cast<T>(rule.scalars[k]) : T(0);
}

/// Note [Plain operations]; false, and nothing done, where a gradient lies among others or has
/// gaps. Not inlined: the general way has a large frame.
template <class T>
[[gnu::noinline]] bool add_plain_gradients(const detail::Node& node, const FusedRule& rule,
                                           Gradients& d) {
  const FusedOperation& operation = *rule.operation;
  const std::size_t n = operation.program->argument_count;
  const std::size_t m = operation.program->output_count;
  for (std::size_t k = 0; k < m; ++k) {
    const Tensor& cotangent = d.cotangent(static_cast<int>(k));
    if (cotangent.defined() && !cotangent.is_contiguous()) {
      return false;
    }
  }
  for (int input = 0; input < static_cast<int>(node.input_count); ++input) {
    if (d.wants(input) && !d.is_apart(input)) {
      return false;
    }
  }
  Scalars<T> scalars;
  std::array<const Tensor*, max_streams> arguments;
  find_arguments(node, rule, d, arguments.data());
  Block block;
  block.rows = 1;
  block.columns = node.slots[0].shape.elements();
  for (std::size_t k = 0; k < n + 2 * m; ++k) {
    if (arguments[k] != nullptr) {
      block.arguments[k] = whole(*arguments[k]);
    } else {
      scalars[k] = number_of<T>(rule, k);
      block.arguments[k] = repeated(&scalars[k]);
    }
  }
  int input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    block.results[k] = nowhere;
    if (bit(rule.tensors, k)) {
      if (d.wants(input)) {
        const Gradients::Target target = d.locate_whole(input);
        block.results[k] = {target.data, 0, 1, target.accumulate};
      }
      ++input;
    }
  }
  (sizeof(T) == 4 ? operation.backward32 : operation.backward64)(block);
  return true;
}

/// The gradient as one fused pass that writes or adds straight into the inputs' gradients.
template <class T>
void add_gradients_now(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  if (rule.plain && add_plain_gradients<T>(node, rule, d)) {
    return;
  }
  const FusedOperation& operation = *rule.operation;
  const std::size_t n = operation.program->argument_count;
  const std::size_t m = operation.program->output_count;
  const Shape& common = node.slots[0].shape;

  // Arrays are filled as far as they are used: this runs for every operation of a backward pass.
  std::array<Gradients::Target, max_arguments> targets;
  std::array<std::int8_t, max_arguments> target_of;  // -1: not wanted
  std::array<const Shape*, max_arguments> shapes;
  std::size_t target_count = 0;
  int input = 0;
  for (std::size_t k = 0; k < n; ++k) {
    target_of[k] = -1;
    if (bit(rule.tensors, k)) {
      if (d.wants(input)) {
        shapes[k] = &shape_of(node.inputs[input]);
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
  find_arguments(node, rule, d, arguments.data());
  for (std::size_t k = 0; k < n + 2 * m; ++k) {
    scalars[k] = number_of<T>(rule, k);
  }

  void (*const run)(const Block&) = sizeof(T) == 4 ? operation.backward32 : operation.backward64;
  Rows rows(common);
  bool only_rows = true;
  for (std::size_t k = 0; k < n + 2 * m && only_rows; ++k) {
    if (arguments[k] == nullptr) {
      rows.add_number(&scalars[k]);
    } else {
      const detail::TensorBody& body = arguments[k]->body();
      only_rows = rows.add_argument(body.data, body.shape, body.row_stride);
    }
  }
  for (std::size_t k = 0; k < n && only_rows; ++k) {
    if (Gradients::Target* const t = target(k)) {
      clear_stretched<T>(*t, *shapes[k], common);
      only_rows = rows.add_result(t->data, *shapes[k], t->row_stride, t->accumulate);
    } else {
      rows.skip_result();
    }
  }
  if (only_rows) {
    rows.run<T>(run, operation.derivative->size);
    return;
  }

  Loop loop(common);
  for (std::size_t k = 0; k < n + 2 * m; ++k) {
    if (arguments[k] != nullptr) {
      const detail::TensorBody& body = arguments[k]->body();
      loop.add_argument(body.data, steps_of(body.shape, body.row_stride, common));
    } else {
      loop.add_argument(&scalars[k], {});
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    if (Gradients::Target* const t = target(k)) {
      clear_stretched<T>(*t, *shapes[k], common);
      loop.add_result(t->data, steps_of(*shapes[k], t->row_stride, common), t->accumulate);
    } else {
      loop.add_result(nullptr, {}, false);
    }
  }
  loop.run(run, sizeof(T));
}

/// The gradient as recorded operations on tensors: the same formula, a term at a time.
void add_gradients_recorded(const detail::Node& node, const FusedRule& rule, Gradients& d) {
  const Program& program = *rule.operation->derivative;
  const std::size_t n = rule.operation->program->argument_count;
  std::array<const Tensor*, max_streams> arguments;
  find_arguments(node, rule, d, arguments.data());
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
