#include <rewind/autograd/tensor/error.hpp>

namespace rw::detail {
template void fail<ShapeError>(fmt::string_view, fmt::format_args);
template void fail<UsageError>(fmt::string_view, fmt::format_args);
template void fail<NonFiniteError>(fmt::string_view, fmt::format_args);
template void fail<CheckpointError>(fmt::string_view, fmt::format_args);
}  // namespace rw::detail
