#pragma once

#include <cstdint>

#include <rewind/io/detail/file.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

// Note [Foreign files]
// libhdf5 trusts what it reads: a crafted file can crash it, or make it copy memory of the process
// into a tensor. So a foreign file is read in a child process that has limited memory and time and
// can open no file. The child checks everything that libhdf5 reports before it reads a value: no
// links to elsewhere, no values in other files or datasets, no filter but a checksum, chunks that
// have the declared size in the file. It answers with a file in memory that has an index (Note
// [Checkpoint format]) and no HDF5 part. This file is then read like any other, so that a child
// that was taken over can do no more harm than a file can.

/// The values and attributes of an HDF5 file whose superblock begins at `superblock_at`, as a file
/// with an index. Throws CheckpointCorrupt if `file` is not HDF5, is cut off or is longer than it
/// records; CheckpointRefused if it holds what no checkpoint holds, or the child crashed or took
/// too long; CheckpointReadError if there is too little memory or no process for the child.
InputFile import_hdf5(const InputFile& file, std::uint64_t superblock_at = 0);

}  // namespace rw::io::detail

#pragma GCC visibility pop
