#pragma once

#include <cstdint>

#include <rewind/io/detail/file.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

// Note [Foreign files]
// libhdf5 trusts what it reads: a file made for the purpose crashes it, or has it copy the memory
// of the process into a tensor. So a foreign file is read in a child process, under limits of
// memory and time, which can open no file. The child checks all that libhdf5 says before it reads a
// value: no link to elsewhere, no values in other files or datasets, no filter but a checksum,
// chunks that are as large in the file as they declare. It answers with a file in memory that has
// an index (Note [Checkpoint format]) and no HDF5 part. That is then read like any other, so that a
// child that was taken over can do no more than a file can.

/// The values and attributes of an HDF5 file whose superblock begins at `superblock_at`, as a file
/// with an index. Throws CheckpointCorrupt where `file` is not HDF5, cut off or longer than it
/// says, CheckpointRefused where it holds what no checkpoint holds or the child did not survive it,
/// and CheckpointReadError where memory or a process is lacking.
InputFile import_hdf5(const InputFile& file, std::uint64_t superblock_at = 0);

}  // namespace rw::io::detail

#pragma GCC visibility pop
