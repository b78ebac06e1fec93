#include <cmath>

#include <fmt/format.h>

#include <rewind/autograd/detail/tape_storage.hpp>
#include <rewind/autograd/parameter.hpp>
#include <rewind/autograd/tape.hpp>

// Looking at a tape: names, pictures, and the first bad number.

namespace rw {

namespace {

/// Number of NaN and of infinite elements.
std::pair<std::int64_t, std::int64_t> count_non_finite(const Tensor& x) {
  std::int64_t nan = 0;
  std::int64_t infinite = 0;
  dispatch_floating(x.dtype(), [&](auto type) {
    const auto* data = x.data<decltype(type)>();
    for (std::int64_t r = 0, rows = x.elements() == 0 ? 0 : x.rows(); r < rows; ++r) {
      for (std::int64_t c = 0; c < x.columns(); ++c) {
        const auto value = data[r * x.row_stride() + c];
        nan += std::isnan(value) ? 1 : 0;
        infinite += std::isinf(value) ? 1 : 0;
      }
    }
  });
  return {nan, infinite};
}

void check_finite(const char* what, const char* name, const Tensor& x) {
  if (!is_floating(x.dtype())) {
    return;
  }
  const auto [nan, infinite] = count_non_finite(x);
  check<NonFiniteError>(
      nan + infinite == 0,
      "anomaly mode: {} '{}' holds {} NaN and {} infinite of {} values (shape {}); "
      "its operands were finite, so the numbers went wrong here",
      what, name, nan, infinite, x.elements(), x.shape());
}

}  // namespace

namespace detail {

void check_finite_outputs(const char* name, std::span<const Tensor> outputs) {
  for (const Tensor& output : outputs) {
    check_finite("the result of", name, output);
  }
}

void check_finite_gradient(const char* name, const Tensor& gradient) {
  check_finite("the gradient that backward computed in", name, gradient);
}

}  // namespace detail

std::vector<std::string> Tape::operation_names() const {
  std::vector<std::string> names;
  for (const detail::Node* node = storage_->first; node != nullptr; node = node->next) {
    if (node->run != nullptr) {
      names.emplace_back(node->name);
    }
  }
  return names;
}

std::string Tape::to_dot() const {
  std::string dot = "digraph tape {\n  rankdir=TB;\n  node [fontname=\"sans-serif\"];\n";
  const auto out = std::back_inserter(dot);
  for (const detail::Node* node = storage_->first; node != nullptr; node = node->next) {
    std::string label = node->name;
    if (node->parameter != nullptr && !node->parameter->name.empty()) {
      label = node->parameter->name;
    }
    for (const detail::Slot& slot : node->slot_span()) {
      label += fmt::format("\\n{}", slot.shape);
    }
    fmt::format_to(out, "  n{} [label=\"{}\", shape={}];\n", node->index, label,
                   node->run == nullptr ? "ellipse" : "box");
    for (const detail::Input& input : node->input_span()) {
      if (input.node != nullptr) {
        fmt::format_to(out, "  n{} -> n{}{};\n", input.node->index, node->index,
                       input.region == nullptr ? "" : " [style=dashed]");
      }
    }
  }
  return dot + "}\n";
}

}  // namespace rw
