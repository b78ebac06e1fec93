#pragma once
// The part of a checkpoint that HDF5 tools read: everything but the values.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <rewind/io/detail/checkpoint_index.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// An HDF5 file without the values of its datasets, in memory that HDF5 allocated. It may end
/// before the file does: what is missing is zeros.
struct Hdf5Skeleton {
  std::unique_ptr<std::byte[], void (*)(void*)> data;
  std::size_t data_bytes = 0;

  /// The part of the file in [begin, end) that is not just zeros.
  std::span<const std::byte> part(std::uint64_t begin, std::uint64_t end) const;
};

/// Builds the file `name` (for messages) for `index`, of which it sets the size of the file and the
/// offsets of the tensors; all else but the digests is there already. Throws CheckpointWriteError.
Hdf5Skeleton build_hdf5_skeleton(const std::string& name, Index& index);

/// "1.10.8".
std::string hdf5_library_version();

}  // namespace rw::io::detail

#pragma GCC visibility pop
