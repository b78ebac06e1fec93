#pragma once
// The part of oneDNN that the benchmark uses, for its versions 2 and 3.

#include <stdexcept>
#include <utility>
#include <vector>

#include <dnnl.hpp>

namespace bench::onednn {

using dnnl::memory;
using Tag = memory::format_tag;

inline memory::desc describe(memory::dims dims, Tag tag) {
  return {std::move(dims), memory::data_type::f32, tag};
}

/// Lets oneDNN choose an implementation of the primitive that `told` describes.
template <class Primitive, class... Told>
typename Primitive::primitive_desc choose(const dnnl::engine& engine, const Told&... told) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, told...};
#else
  return {typename Primitive::desc(told...), engine};
#endif
}

/// The same for a backward primitive: `ahead` describes the forward primitive.
template <class Primitive, class Ahead, class... Told>
typename Primitive::primitive_desc choose_backward(const dnnl::engine& engine, const Ahead& ahead,
                                                   const Told&... told) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, told..., ahead};
#else
  return {typename Primitive::desc(told...), engine, ahead};
#endif
}

/// A primitive and its arguments, prepared once, so that a step only has to execute it.
class Call {
 public:
  Call() = default;
  Call(dnnl::primitive primitive, const std::vector<std::pair<int, memory>>& arguments)
      : primitive_(std::move(primitive)) {
    for (const auto& [index, value] : arguments) {
      memories_.push_back(value);
      arguments_.push_back({index, value.get()});
    }
  }
  static Call reorder(const memory& from, const memory& to) {
    return {dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
  }

  void run(dnnl::stream& stream) const {
    if (dnnl_primitive_execute(primitive_.get(), stream.get(), static_cast<int>(arguments_.size()),
                               arguments_.data()) != dnnl_success) {
      throw std::runtime_error("bench: a oneDNN primitive failed");
    }
  }

 private:
  dnnl::primitive primitive_;
  std::vector<memory> memories_;  // keeps them alive
  std::vector<dnnl_exec_arg_t> arguments_;
};

}  // namespace bench::onednn
