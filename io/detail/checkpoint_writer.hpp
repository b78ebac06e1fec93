#pragma once

#include <string>
#include <vector>

#include <rewind/io/detail/checkpoint_index.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Writes a checkpoint to `path` as io::save() does, and records `writer` in it. `state`,
/// `attributes` and `objects` must be valid; no two objects may have the same name.
void write_checkpoint(const std::string& path, StateList state, const Attributes& attributes,
                      std::vector<ObjectRecord> objects, const std::string& writer);

}  // namespace rw::io::detail

#pragma GCC visibility pop
