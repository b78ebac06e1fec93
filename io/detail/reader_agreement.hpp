#pragma once

#include <string>
#include <vector>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Reads the checkpoint at `path` both by its index, which it must have, and with libhdf5 (in a
/// child process), and compares paths, shapes, types, values and attributes. Returns one sentence
/// per difference: none if other tools see what Rewind loads. Throws as CheckpointReader does.
std::vector<std::string> differences_between_readers(const std::string& path);

}  // namespace rw::io::detail

#pragma GCC visibility pop
