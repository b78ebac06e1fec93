#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <rewind/io/detail/checkpoint_index.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Reads an HDF5 file from memory with libhdf5, in a child process (Note [Foreign files]). Every
/// member throws CheckpointCorrupt or CheckpointRefused, and std::bad_alloc.
class Hdf5FileReader {
 public:
  /// `bytes` must outlive the reader. `name` is for messages.
  Hdf5FileReader(const std::string& name, std::span<const std::byte> bytes);
  Hdf5FileReader(const Hdf5FileReader&) = delete;
  Hdf5FileReader& operator=(const Hdf5FileReader&) = delete;
  ~Hdf5FileReader();

  /// All datasets in order of path, without offset and digest. No values have been read, but each
  /// dataset is plain and as large as it declares; together they are no larger than the file.
  std::vector<TensorRecord> tensors();
  Attributes attributes();
  /// Reads the values of one of tensors() into `values`, which has their size.
  void read(const TensorRecord& tensor, std::span<std::byte> values);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
