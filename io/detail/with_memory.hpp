#pragma once

#include <cstdint>
#include <new>
#include <string>

#include <fmt/format.h>

#include <rewind/io/error.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Calls `f`. If memory runs out, throws a CheckpointReadError for the file at `path`, which says
/// how many bytes are `needed`, if `f` has set that.
template <class F>
auto with_memory(const std::string& path, const std::uint64_t& needed, F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    constexpr std::uint64_t mebibyte = 1 << 20;
    throw CheckpointReadError(fmt::format(
        "checkpoint '{}' cannot be read: not enough memory{}; nothing was changed", path,
        needed == 0 ? "" : fmt::format(": needs {} MiB", (needed + mebibyte - 1) / mebibyte)));
  }
}

}  // namespace rw::io::detail

#pragma GCC visibility pop
