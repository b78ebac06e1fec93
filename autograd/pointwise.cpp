#include <cstring>
#include <optional>
#include <vector>

#include <rewind/autograd/detail/tape_storage.hpp>
#include <rewind/autograd/fused_operation.hpp>
#include <rewind/autograd/math.hpp>
#include <rewind/autograd/pointwise_kernel.hpp>
#include <rewind/autograd/reduce.hpp>
#include <rewind/autograd/tape.hpp>

// How a fused operation meets tensors: broadcasting, recording, and the gradient in both ways (Note
// [Two ways a rule runs]).

namespace rw::pointwise {
namespace {

/// One argument or result over the axes of the common shape: elements from one index to the next, 0
/// where it is stretched.
using Steps = std::array<std::int64_t, Shape::max_rank + 1>;
struct Stream {
  void* data;
  Steps steps;
  bool accumulate;
};

Steps steps_of(const Shape& shape, std::int64_t row_stride, const Shape& common) {
  Steps steps{};
  std::int64_t step = row_stride;
  const int shift = common.rank() - shape.rank();
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const bool last = axis == shape.rank() - 1;
    const std::int64_t size = shape[axis];
    steps[static_cast<std::size_t>(axis + shift)] = size == 1 ? 0 : last ? 1 : step;
    step *= last ? 1 : size;
  }
  return steps;
}

/// A pointwise loop over up to five axes, made of as few and as long blocks as the strides allow.
class Loop {
 public:
  explicit Loop(const Shape& shape) : shape_(shape) {}

  void add_argument(const void* data, const Steps& steps) {
    arguments_[argument_count_++] = {const_cast<void*>(data), steps, false};
  }
  void add_result(void* data, const Steps& steps, bool accumulate) {
    results_[result_count_++] = {data, steps, accumulate};
  }

  void run(void (*run_block)(const Block&), std::size_t element_size) {
    if (shape_.elements() == 0) {
      return;
    }
    collapse();
    Block block;
    block.columns = sizes_[rank_ - 1];
    block.rows = rank_ > 1 ? sizes_[rank_ - 2] : 1;
    std::int64_t blocks = 1;
    for (std::size_t axis = 0; axis + 2 < rank_; ++axis) {
      blocks *= sizes_[axis];
    }
    for (std::int64_t number = 0; number < blocks; ++number) {
      for (std::size_t i = 0; i < argument_count_; ++i) {
        block.arguments[i] = place(arguments_[i], number, element_size);
      }
      for (std::size_t i = 0; i < result_count_; ++i) {
        block.results[i] = place(results_[i], number, element_size);
      }
      run_block(block);
    }
  }

 private:
  template <class Body>
  void for_streams(Body&& body) {
    for (std::size_t i = 0; i < argument_count_; ++i) {
      if (arguments_[i].data != nullptr) body(arguments_[i]);
    }
    for (std::size_t i = 0; i < result_count_; ++i) {
      if (results_[i].data != nullptr) body(results_[i]);
    }
  }

  /// Merges neighbouring axes that every stream walks as one; drops axes of size 1.
  void collapse() {
    for (int axis = 0; axis < shape_.rank(); ++axis) {
      const auto from = static_cast<std::size_t>(axis);
      const std::int64_t size = shape_[axis];
      if (size == 1) {
        continue;
      }
      bool merges = rank_ > 0;
      if (merges) {
        for_streams([&](const Stream& s) {
          merges = merges && s.steps[rank_ - 1] == s.steps[from] * size;
        });
      }
      if (merges) {
        sizes_[rank_ - 1] *= size;
        for_streams([&](Stream& s) { s.steps[rank_ - 1] = s.steps[from]; });
      } else {
        sizes_[rank_] = size;
        for_streams([&](Stream& s) { s.steps[rank_] = s.steps[from]; });
        ++rank_;
      }
    }
    bool last_is_plain = rank_ > 0;
    for_streams([&](const Stream& s) {
      last_is_plain = last_is_plain && (s.steps[rank_ - 1] == 0 || s.steps[rank_ - 1] == 1);
    });
    if (!last_is_plain) {
      // Single columns of wider rows: each element is a row of its own.
      sizes_[rank_] = 1;
      for_streams([&](Stream& s) { s.steps[rank_] = 1; });
      ++rank_;
    }
  }

  Block::Stream place(const Stream& stream, std::int64_t number, std::size_t element_size) const {
    if (stream.data == nullptr) {
      return {nullptr, 0, 1, false};
    }
    std::int64_t offset = 0;
    for (std::size_t axis = rank_ - 1; axis-- > 0;) {
      if (axis + 2 >= rank_) {
        continue;
      }
      offset += number % sizes_[axis] * stream.steps[axis];
      number /= sizes_[axis];
    }
    return {static_cast<std::byte*>(stream.data) + offset * static_cast<std::int64_t>(element_size),
            rank_ > 1 ? stream.steps[rank_ - 2] : 0, stream.steps[rank_ - 1], stream.accumulate};
  }

  Shape shape_;
  std::size_t rank_ = 0;
  std::array<std::int64_t, Shape::max_rank + 1> sizes_{};
  std::size_t argument_count_ = 0;
  std::size_t result_count_ = 0;
  std::array<Stream, max_streams> arguments_;
  std::array<Stream, max_arguments> results_;
};

/// What the gradient of a recorded fused operation needs to know, beside the saved tensors.
struct FusedRule {
  const FusedOperation* operation;
  std::uint32_t tensors;  // bit k: argument k is a tensor, and so an input of the node
  const double* scalars;  // the arguments that are numbers, by argument
};

/// Numbers as memory that a stream can repeat.
template <class T>
using Scalars = std::array<T, max_streams>;

bool bit(std::uint64_t bits, std::size_t k) { return ((bits >> k) & 1) != 0; }

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

template <class T>
void compute(const FusedOperation& operation, std::span<const Operand> arguments,
             const Shape& common, bool plain, std::span<Tensor> results) {
  void (*const run)(const Block&) = sizeof(T) == 4 ? operation.forward32 : operation.forward64;
  Scalars<T> scalars;
  if (plain) {
    // Equal shapes without gaps: one long row.
    Block block;
    block.rows = 1;
    block.columns = common.elements();
    for (std::size_t k = 0; k < arguments.size(); ++k) {
      if (arguments[k].is_tensor()) {
        block.arguments[k] = {const_cast<T*>(arguments[k].tensor().data<T>()), 0, 1, false};
      } else {
        scalars[k] = static_cast<T>(arguments[k].scalar());
        block.arguments[k] = {&scalars[k], 0, 0, false};
      }
    }
    for (std::size_t k = 0; k < results.size(); ++k) {
      block.results[k] = {results[k].mutable_data<T>(), 0, 1, false};
    }
    run(block);
    return;
  }
  Loop loop(common);
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k].is_tensor()) {
      const Tensor& tensor = arguments[k].tensor();
      loop.add_argument(tensor.data<T>(), steps_of(tensor.shape(), tensor.row_stride(), common));
    } else {
      scalars[k] = static_cast<T>(arguments[k].scalar());
      loop.add_argument(&scalars[k], {});
    }
  }
  for (Tensor& result : results) {
    loop.add_result(result.mutable_data<T>(), steps_of(common, common.columns(), common), false);
  }
  loop.run(run, sizeof(T));
}

void record_fused(const char* name, const FusedOperation& operation,
                  std::span<const Operand> arguments, std::span<const Tensor> results) {
  std::array<TensorRef, max_arguments> inputs;
  std::size_t input_count = 0;
  FusedRule rule{&operation, 0, nullptr};
  std::size_t saved_count = 0;
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k].is_tensor()) {
      inputs[input_count++] = arguments[k].tensor();
      rule.tensors |= 1U << k;
      saved_count += bit(operation.derivative_reads, k) ? 1 : 0;
    }
  }
  for (std::size_t k = 0; k < results.size(); ++k) {
    saved_count += bit(operation.derivative_reads, arguments.size() + k) ? 1 : 0;
  }
  detail::Node* const node = detail::begin_node(name, {inputs.data(), input_count}, results,
                                                saved_count, sizeof(FusedRule));
  if (node == nullptr) {
    return;
  }
  std::size_t next = 0;
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (bit(rule.tensors, k) && bit(operation.derivative_reads, k)) {
      detail::save(node->saved[next++], arguments[k].tensor());
    }
  }
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (bit(operation.derivative_reads, arguments.size() + k)) {
      detail::save(node->saved[next++], results[k]);
    }
  }
  if (input_count < arguments.size()) {
    auto* const scalars =
        static_cast<double*>(detail::tape_memory(arguments.size() * sizeof(double)));
    for (std::size_t k = 0; k < arguments.size(); ++k) {
      scalars[k] = arguments[k].is_tensor() ? 0 : arguments[k].scalar();
    }
    rule.scalars = scalars;
  }
  new (const_cast<void*>(node->rule)) FusedRule(rule);
  node->run = &run_fused_rule;
}

}  // namespace

void apply_fused(const char* name, const FusedOperation& operation,
                 std::span<const Operand> arguments, std::span<Tensor> results) {
  const Tensor* first = nullptr;
  Shape common;
  bool plain = true;
  for (const Operand& argument : arguments) {
    if (!argument.is_tensor()) {
      continue;
    }
    const Tensor& tensor = argument.tensor();
    if (first == nullptr) {
      first = &tensor;
      common = tensor.shape();
      check<UsageError>(is_floating(tensor.dtype()),
                        "{}: got an int64 tensor, expected float32 or float64; convert with to()",
                        name);
    } else {
      check<UsageError>(tensor.dtype() == first->dtype(),
                        "{}: got {} and {}, expected one type; convert with to()", name,
                        name_of(first->dtype()), name_of(tensor.dtype()));
      if (tensor.shape() != common) {
        common = broadcast(name, common, tensor.shape());
        plain = false;
      }
    }
    plain = plain && tensor.is_contiguous();
  }
  check<UsageError>(first != nullptr, "{}: got numbers only, expected a tensor among them", name);
  for (Tensor& result : results) {
    result = detail::make_tensor(common, first->dtype());
  }
  if (first->dtype() == DType::float32) {
    compute<float>(operation, arguments, common, plain, results);
  } else {
    compute<double>(operation, arguments, common, plain, results);
  }
  if (detail::context.anomaly) {
    detail::check_finite_outputs(name, results);
  }
  if (detail::context.tape != nullptr) {
    record_fused(name, operation, arguments, results);
  }
}

}  // namespace rw::pointwise
