#pragma once

#include <fmt/core.h>

#include <rewind/autograd/tape/parameter.hpp>

namespace rw {

/// The name of a layer in messages: its kind and, if parameters(model) has named its parameters,
/// its path in the model: "lstm (encoder/layers/1/cell)". Formatted only when printed.
class LayerName {
 public:
  explicit(false) LayerName(const char* kind) : kind_(kind) {}
  LayerName(const char* kind, const Parameter& own) : kind_(kind), own_(&own) {}

  std::string text() const;

 private:
  const char* kind_;
  const Parameter* own_ = nullptr;
};

}  // namespace rw

template <>
struct fmt::formatter<rw::LayerName> {
  static constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static auto format(const rw::LayerName& name, fmt::format_context& context)
      -> fmt::format_context::iterator;
};
