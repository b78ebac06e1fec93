#include <cmath>

#include <fmt/format.h>

#include <rewind/autograd/tape/anomaly.hpp>
#include <rewind/autograd/tape/described.hpp>
#include <rewind/autograd/tape/detail/tape_storage.hpp>
#include <rewind/autograd/tensor/plain_nan.hpp>

namespace rw {

namespace {

/// Number of NaN and of infinite elements.
struct NonFinite {
  std::int64_t nan = 0;
  std::int64_t infinite = 0;

  bool any() const { return nan + infinite > 0; }
  void count(double value) {
    nan += std::isnan(value) ? 1 : 0;
    infinite += std::isinf(value) ? 1 : 0;
  }
};

NonFinite non_finite_in(const Tensor& x) {
  NonFinite found;
  if (!is_floating(x.dtype())) {
    return found;
  }
  dispatch_floating(x.dtype(), [&](auto type) {
    const auto* data = x.data<decltype(type)>();
    for (std::int64_t r = 0, rows = x.elements() == 0 ? 0 : x.rows(); r < rows; ++r) {
      for (std::int64_t c = 0; c < x.columns(); ++c) {
        found.count(static_cast<double>(data[r * x.row_stride() + c]));
      }
    }
  });
  return found;
}

std::string text_of(const NonFinite& found, const Tensor& x) {
  return fmt::format("{} NaN and {} infinite of {} values", found.nan, found.infinite,
                     x.elements());
}

/// Describes where an operation's NaN or infinity came from.
std::string origin_in(std::span<const Operand> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].is_tensor()) {
      if (!std::isfinite(inputs[i].scalar())) {
        return fmt::format("its input {}, a number, is {}", i,
                           detail::plain_nan(inputs[i].scalar()));
      }
      continue;
    }
    const Tensor& x = inputs[i].tensor();
    const NonFinite found = non_finite_in(x);
    if (found.any()) {
      return fmt::format("its input {}, {}, already holds {}; find what computed it", i,
                         detail::Described{x}, text_of(found, x));
    }
  }
  return "its inputs are finite, so this operation made them";
}

}  // namespace

namespace detail {

void check_finite_outputs(const char* name, std::span<const Operand> inputs,
                          std::span<const Tensor> outputs) {
  for (const Tensor& output : outputs) {
    const NonFinite found = non_finite_in(output);
    if (found.any()) {
      throw NonFiniteError(fmt::format("anomaly mode: the result of '{}' holds {} (shape {}); {}",
                                       name, text_of(found, output), output.shape(),
                                       origin_in(inputs)));
    }
  }
}

void check_finite_outputs(const char* name, std::span<const TensorRef> inputs,
                          std::span<const Tensor> outputs) {
  std::vector<Operand> operands;
  operands.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    operands.emplace_back(input);
  }
  check_finite_outputs(name, std::span<const Operand>(operands), outputs);
}

void check_finite_seed(const Tensor& seed) {
  const NonFinite found = non_finite_in(seed);
  check<NonFiniteError>(!found.any(),
                        "anomaly mode: the seed of the backward pass holds {} NaN and {} infinite "
                        "of {} values (shape {})",
                        found.nan, found.infinite, seed.elements(), seed.shape());
}

void check_finite_gradient(const Node& node, const Tensor& gradient) {
  const NonFinite found = non_finite_in(gradient);
  if (!found.any()) {
    return;
  }
  std::string origin = "it was computed from finite values, so this operation made them";
  for (std::uint32_t i = 0; i < node.saved_count; ++i) {
    const Tensor& saved = node.saved[i].tensor;
    if (const NonFinite earlier = non_finite_in(saved); earlier.any()) {
      origin =
          fmt::format("it was computed from {}, which already holds {}; find what computed that",
                      Described{saved}, text_of(earlier, saved));
      break;
    }
  }
  throw NonFiniteError(
      fmt::format("anomaly mode: the gradient that backward computed in '{}' holds {} (shape {}); "
                  "{}",
                  node.name, text_of(found, gradient), gradient.shape(), origin));
}

}  // namespace detail

}  // namespace rw
