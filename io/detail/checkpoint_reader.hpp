#pragma once

#include <string>

#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/file.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Reads a checkpoint without HDF5 (Note [Checkpoint format]). Every member throws
/// CheckpointReadError, CheckpointCorrupt or CheckpointRefused, and std::bad_alloc.
class CheckpointReader {
 public:
  /// Opens the file at `path` and reads its index. A foreign file is imported whole.
  explicit CheckpointReader(const std::string& path);
  /// The same of a file that must have an index.
  explicit CheckpointReader(InputFile file);

  const std::string& path() const { return file_.path(); }
  const InputFile& file() const { return file_; }
  const Index& index() const { return index_; }
  /// The tensor of that path, which must be in the index. Throws CheckpointCorrupt where the values
  /// do not match their digest.
  Tensor read(const std::string& path) const;
  /// Throws CheckpointCorrupt where what belongs to no tensor does not match its digest.
  void verify_rest() const;

 private:
  InputFile file_;
  Index index_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
