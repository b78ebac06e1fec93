#pragma once
// Whole files in and out.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

// Note [Atomic replacement]
// A checkpoint exists to survive the death of the process that writes it. So the bytes go to a
// temporary file in the target's directory, are flushed to disk, and only then take the target's
// name; last, the directory is flushed. Whoever opens the target sees the old file or the new one,
// both complete.

/// Replaces the file at `path` by one that holds `bytes` (Note [Atomic replacement]), keeping the
/// mode of a file that was there. A symbolic link stays, and what it points to is replaced, or made
/// where it is not there yet. Throws CheckpointWriteError.
void replace_file(const std::string& path, std::span<const std::byte> bytes);

/// All bytes of the regular file at `path`. Throws CheckpointReadError.
std::vector<std::byte> read_file(const std::string& path);

}  // namespace rw::io::detail

#pragma GCC visibility pop
