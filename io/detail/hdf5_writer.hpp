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

/// An HDF5 file without the values of its datasets, in memory that HDF5 allocated. It may be
/// shorter than the file; the missing bytes are zeros.
struct Hdf5Skeleton {
  std::unique_ptr<std::byte[], void (*)(void*)> data;
  std::size_t data_bytes = 0;

  /// The part of the file in [begin, end) that is not just zeros.
  std::span<const std::byte> part(std::uint64_t begin, std::uint64_t end) const;
};

/// Builds the HDF5 part of the file `name` (for messages) from `index`, and sets the file size and
/// the tensors' offsets in `index`; everything else but the digests must be set already. Throws
/// CheckpointWriteError.
Hdf5Skeleton build_hdf5_skeleton(const std::string& name, Index& index);

/// "1.10.8".
std::string hdf5_library_version();

}  // namespace rw::io::detail

#pragma GCC visibility pop
