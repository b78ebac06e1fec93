#include <bit>

#include <fmt/format.h>

#include <rewind/autograd/detail/fused_rule.hpp>
#include <rewind/autograd/detail/pointwise_loop.hpp>
#include <rewind/autograd/detail/pointwise_rows.hpp>
#include <rewind/autograd/tape.hpp>

// How a fused operation meets tensors: broadcasting and recording.

namespace rw::pointwise {
namespace {

/// Note [Plain operations]
template <class T, std::size_t N>
void compute_plain(const FusedOperation& operation, std::span<const Operand, N> arguments,
                   const Shape& common, std::span<const Tensor> results) {
  Scalars<T> scalars;
  Block block;
  block.rows = 1;
  block.columns = common.elements();
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k].is_tensor()) {
      block.arguments[k] = whole(arguments[k].tensor());
    } else {
      scalars[k] = static_cast<T>(arguments[k].scalar());
      block.arguments[k] = repeated(&scalars[k]);
    }
  }
  for (std::size_t k = 0; k < results.size(); ++k) {
    block.results[k] = whole(results[k]);
  }
  (sizeof(T) == 4 ? operation.forward32 : operation.forward64)(block);
}

/// False when the arguments need more than rows and columns.
template <class T>
bool compute_rows(const FusedOperation& operation, std::span<const Operand> arguments,
                  Scalars<T>& scalars, const Shape& common, std::span<const Tensor> results) {
  Rows rows(common);
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (!arguments[k].is_tensor()) {
      scalars[k] = static_cast<T>(arguments[k].scalar());
      rows.add_number(&scalars[k]);
      continue;
    }
    const detail::TensorBody& body = arguments[k].tensor().body();
    if (!rows.add_argument(body.data, body.shape, body.row_stride)) {
      return false;
    }
  }
  for (const Tensor& result : results) {
    rows.add_result(result.body().data, common, common.columns(), false);
  }
  rows.run<T>(sizeof(T) == 4 ? operation.forward32 : operation.forward64, operation.forward_work);
  return true;
}

template <class T>
void compute(const FusedOperation& operation, std::span<const Operand> arguments,
             const Shape& common, std::span<Tensor> results) {
  Scalars<T> scalars;
  if (compute_rows(operation, arguments, scalars, common, results)) {
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
  loop.run(sizeof(T) == 4 ? operation.forward32 : operation.forward64, sizeof(T));
}

[[noreturn]] void fail_types(const char* name, DType first, DType other) {
  throw UsageError(fmt::format("{}: got {} and {}, expected one type; convert with to()", name,
                               name_of(first), name_of(other)));
}

template <std::size_t N>
void record_fused(const char* name, const FusedOperation& operation,
                  std::span<const Operand, N> arguments, bool plain,
                  std::span<const Tensor> results) {
  std::array<TensorRef, max_arguments> inputs;
  std::size_t input_count = 0;
  FusedRule rule{&operation, nullptr, 0};
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k].is_tensor()) {
      inputs[input_count++] = arguments[k].tensor();
      rule.tensors |= 1U << k;
    }
  }
  // The gradient reads arguments first, then results: of both what it reads is saved.
  const std::uint64_t result_bits = ((std::uint64_t{1} << results.size()) - 1) << arguments.size();
  std::uint64_t to_save = operation.derivative_reads & (rule.tensors | result_bits);
  detail::Node* const node =
      detail::begin_node(name, {inputs.data(), input_count}, results,
                         static_cast<std::size_t>(std::popcount(to_save)), sizeof(FusedRule));
  if (node == nullptr) {
    return;
  }
  for (const detail::Input& input : node->input_span()) {
    plain = plain &&
            (input.node == nullptr || (input.region == nullptr && input.slot().merged == nullptr));
  }
  for (detail::Saved* place = node->saved; to_save != 0; to_save &= to_save - 1, ++place) {
    const auto k = static_cast<std::size_t>(std::countr_zero(to_save));
    detail::save(*place,
                 k < arguments.size() ? arguments[k].tensor() : results[k - arguments.size()]);
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
  node->run = plain ? &run_plain_rule : &run_fused_rule;
}

template <std::size_t N>
void apply(const char* name, const FusedOperation& operation, std::span<const Operand, N> arguments,
           std::span<Tensor> results) {
  const detail::TensorBody* first = nullptr;
  const Shape* common = nullptr;
  Shape broadcasted;
  bool plain = true;
  for (const Operand& argument : arguments) {
    if (!argument.is_tensor()) {
      continue;
    }
    const detail::TensorBody& body = argument.tensor().body();
    if (first == nullptr) {
      first = &body;
      common = &body.shape;
    } else if (body.dtype != first->dtype) [[unlikely]] {
      fail_types(name, first->dtype, body.dtype);
    } else if (body.shape != *common) {
      broadcasted = broadcast(name, *common, body.shape);
      common = &broadcasted;
      plain = false;
    }
    plain = plain && body.gapless;
  }
  check<UsageError>(first != nullptr, "{}: got numbers only, expected a tensor among them", name);
  const DType dtype = first->dtype;
  check<UsageError>(is_floating(dtype),
                    "{}: got an int64 tensor, expected float32 or float64; convert with to()",
                    name);
  plain = plain && common->elements() < Rows::least_work &&
          common->elements() * operation.backward_work < Rows::least_work;
  for (Tensor& result : results) {
    result = detail::make_tensor(*common, dtype);
  }
  if (plain) {
    dtype == DType::float32 ? compute_plain<float>(operation, arguments, *common, results)
                            : compute_plain<double>(operation, arguments, *common, results);
  } else {
    dtype == DType::float32 ? compute<float>(operation, arguments, *common, results)
                            : compute<double>(operation, arguments, *common, results);
  }
  if (detail::context.anomaly) {
    detail::check_finite_outputs(name, results);
  }
  if (detail::context.tape != nullptr) {
    record_fused(name, operation, arguments, plain, results);
  }
}

}  // namespace

void apply_fused(const char* name, const FusedOperation& operation,
                 std::span<const Operand> arguments, std::span<Tensor> results) {
  // Loops over a number of arguments that the compiler knows are none.
  switch (arguments.size()) {
    case 1:
      return apply(name, operation, arguments.first<1>(), results);
    case 2:
      return apply(name, operation, arguments.first<2>(), results);
    default:
      return apply(name, operation, arguments, results);
  }
}

}  // namespace rw::pointwise
