#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include <rewind/autograd/fuse/detail/captured_pass.hpp>
#include <rewind/autograd/fuse/detail/fused_rule.hpp>
#include <rewind/autograd/fuse/detail/pointwise_tiles.hpp>
#include <rewind/autograd/tape/capture_log.hpp>
#include <rewind/autograd/tape/described.hpp>
#include <rewind/autograd/tape/recorder.hpp>

// Applies fused operations to tensors: broadcasting and recording.

namespace rw::pointwise {
namespace {

/// Note [Fast path of fused operations], with numbers. Not inlined: numbers need buffers.
template <class T>
[[gnu::noinline]] void compute_with_numbers(const FusedOperation& operation,
                                            std::span<const Operand> arguments, const Shape& common,
                                            std::span<const Tensor> results) {
  Tiles<T> row(1, common.elements(), arguments.size());
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k].is_tensor()) {
      row.set_argument(k, arguments[k].tensor().body().data, 0);
    } else {
      row.set_number(k, static_cast<T>(arguments[k].scalar()));
    }
  }
  for (const Tensor& result : results) {
    row.add_result(result.body().data, 0, false);
  }
  row.run(operation.forward<T>());
}

/// Note [Fast path of fused operations]
template <class T, std::size_t N, std::size_t M>
void compute_plain(const FusedOperation& operation, std::span<const Operand, N> arguments,
                   const Shape& common, std::span<Tensor, M> results) {
  Block block;
  block.rows = 1;
  block.columns = common.elements();
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (!arguments[k].is_tensor()) {
      compute_with_numbers<T>(operation, arguments, common, results);
      return;
    }
    block.arguments[k].data = arguments[k].tensor().body().data;
  }
  for (std::size_t k = 0; k < results.size(); ++k) {
    block.results[k].data = results[k].body().data;
  }
  operation.forward<T>()(block);
}

/// Adds arguments and results to a Pass or a CapturedPass. `scalars` holds the numbers.
template <class T, class AnyPass>
void fill_pass(AnyPass& pass, std::span<const Operand> arguments, Scalars<T>& scalars,
               const Shape& common, std::span<const Tensor> results) {
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k].is_tensor()) {
      const detail::TensorBody& body = arguments[k].tensor().body();
      pass.add_argument(body.data, body.shape, body.row_stride);
    } else {
      scalars[k] = static_cast<T>(arguments[k].scalar());
      pass.add_number(&scalars[k]);
    }
  }
  for (const Tensor& result : results) {
    pass.add_result(result.body().data, common, common.columns(), false);
  }
}

template <class T>
void compute(const FusedOperation& operation, std::span<const Operand> arguments,
             const Shape& common, std::span<const Tensor> results) {
  Scalars<T> scalars;
  Pass pass(common);
  fill_pass<T>(pass, arguments, scalars, common, results);
  pass.run<T>(operation.forward<T>(), operation.forward_work);
}

/// The same during a capture (Note [Launches]).
template <class T>
[[gnu::noinline, gnu::cold]] void compute_captured(const char* name,
                                                   const FusedOperation& operation,
                                                   std::span<const Operand> arguments, bool plain,
                                                   const Shape& common,
                                                   std::span<const Tensor> results) {
  plain = plain && common.elements() > 0 &&
          std::ranges::all_of(arguments, [](const Operand& a) { return a.is_tensor(); });
  if (plain) {
    PlainPass pass{operation.forward<T>(), arguments.size(), results.size(), sizeof(T), {}};
    pass.block.rows = 1;
    pass.block.columns = common.elements();
    for (std::size_t k = 0; k < arguments.size(); ++k) {
      pass.block.arguments[k].data = arguments[k].tensor().body().data;
    }
    for (std::size_t k = 0; k < results.size(); ++k) {
      pass.block.results[k].data = results[k].body().data;
    }
    launch(pass);
  } else {
    Scalars<T> scalars;
    CapturedPass<T> pass(operation.forward<T>(), operation.forward_work, common);
    fill_pass<T>(pass, arguments, scalars, common, results);
    launch(pass);
  }
  for (const Operand& argument : arguments) {
    if (argument.is_tensor()) {
      detail::context.capture->note_input(argument.tensor());
    }
  }
  for (const Tensor& result : results) {
    detail::context.capture->note_result(name, result);
  }
}

/// Argument `next` does not broadcast with the earlier ones, whose common shape is `common`.
[[noreturn]] void fail_shapes(const char* name, std::span<const Operand> arguments,
                              const Shape& common, const Tensor& next) {
  for (const Operand& argument : arguments) {
    if (argument.is_tensor() && !detail::broadcast(argument.tensor().shape(), next.shape())) {
      const Tensor& other = argument.tensor();
      detail::fail_broadcast(name, other.shape(), fmt::format("{}", detail::Described{other}),
                             next.shape(), fmt::format("{}", detail::Described{next}));
    }
  }
  detail::fail_broadcast(name, common, to_string(common), next.shape(), to_string(next.shape()));
}

[[noreturn]] void fail_types(const char* name, DType first, DType other) {
  throw UsageError(fmt::format("{}: got {} and {}, expected one type; convert with to()", name,
                               name_of(first), name_of(other)));
}

template <std::size_t N, std::size_t M>
void record_fused(const char* name, const FusedOperation& operation,
                  std::span<const Operand, N> arguments, bool plain,
                  std::span<const Tensor, M> results) {
  std::array<TensorRef, N == std::dynamic_extent ? max_arguments : N> inputs;
  std::size_t input_count = 0;
  FusedRule rule{&operation, nullptr, 0};
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (arguments[k].is_tensor()) {
      inputs[input_count++] = arguments[k].tensor();
      rule.tensors |= 1U << k;
    }
  }
  // The gradient's first arguments are the arguments, then the results; those that it reads are
  // saved.
  const std::uint64_t result_bits = ((std::uint64_t{1} << results.size()) - 1) << arguments.size();
  const std::uint64_t to_save = operation.derivative_reads & (rule.tensors | result_bits);
  const auto saved_count = static_cast<std::size_t>(std::popcount(to_save));
  const std::span<const TensorRef> tensors(inputs.data(), input_count);
  const auto [node, inputs_are_own] =
      input_count == arguments.size()
          ? detail::Recorder::begin(name, std::span<const TensorRef, N>(tensors), results,
                                    saved_count, sizeof(FusedRule))
          : detail::Recorder::begin(name, tensors, results, saved_count, sizeof(FusedRule));
  if (node == nullptr) {
    return;
  }
  detail::Saved* place = node->saved;
  for (std::size_t k = 0; k < arguments.size() + results.size(); ++k) {
    if (bit(to_save, k)) {
      detail::save(*place++,
                   k < arguments.size() ? arguments[k].tensor() : results[k - arguments.size()]);
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
  node->run = plain && inputs_are_own ? &run_plain_rule : &run_fused_rule;
}

template <std::size_t N, std::size_t M>
void apply(const char* name, const FusedOperation& operation, std::span<const Operand, N> arguments,
           std::span<Tensor, M> results) {
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
      const auto wider = detail::broadcast(*common, body.shape);
      if (!wider) [[unlikely]] {
        fail_shapes(name, arguments, *common, argument.tensor());
      }
      broadcasted = *wider;
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
  for (Tensor& result : results) {
    result = detail::make_tensor(*common, dtype);
  }
  if (detail::context.capture != nullptr) [[unlikely]] {
    dtype == DType::float32
        ? compute_captured<float>(name, operation, arguments, plain, *common, results)
        : compute_captured<double>(name, operation, arguments, plain, *common, results);
  } else if (plain && runs_alone(common->elements(), operation.forward_work)) {
    dtype == DType::float32 ? compute_plain<float>(operation, arguments, *common, results)
                            : compute_plain<double>(operation, arguments, *common, results);
  } else {
    dtype == DType::float32 ? compute<float>(operation, arguments, *common, results)
                            : compute<double>(operation, arguments, *common, results);
  }
  if (detail::context.anomaly != nullptr) {
    detail::check_finite_outputs(name, std::span<const Operand>(arguments), results);
  }
  if (detail::context.tape != nullptr) {
    record_fused(name, operation, arguments, plain, std::span<const Tensor, M>(results));
  }
}

}  // namespace

void apply_fused(const char* name, const FusedOperation& operation,
                 std::span<const Operand> arguments, std::span<Tensor> results) {
  // The compiler unrolls loops over a known number of arguments.
  if (results.size() == 1 && arguments.size() == 1) {
    apply(name, operation, arguments.first<1>(), results.first<1>());
  } else if (results.size() == 1 && arguments.size() == 2) {
    apply(name, operation, arguments.first<2>(), results.first<1>());
  } else {
    apply(name, operation, arguments, results);
  }
}

}  // namespace rw::pointwise
