#include <fmt/format.h>

#include <rewind/layers/layer_name.hpp>

namespace rw {

std::string LayerName::text() const {
  const std::string name = own_ == nullptr || !own_->defined() ? std::string() : own_->name();
  const std::size_t end = name.rfind('/');
  return end == std::string::npos ? kind_ : fmt::format("{} ({})", kind_, name.substr(0, end));
}

}  // namespace rw

auto fmt::formatter<rw::LayerName>::format(const rw::LayerName& name, fmt::format_context& context)
    -> fmt::format_context::iterator {
  return fmt::format_to(context.out(), "{}", name.text());
}
