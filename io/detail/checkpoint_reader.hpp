#pragma once

#include <string>
#include <vector>

#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/file.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Whether `file` has an index; if not, it is foreign (Note [Checkpoint format]).
bool begins_with_index(const InputFile& file);

/// Reads a checkpoint without HDF5 (Note [Checkpoint format]). Every member throws
/// CheckpointReadError, CheckpointCorrupt or CheckpointRefused, and std::bad_alloc.
class CheckpointReader {
 public:
  /// Opens the file at `path` and reads its index. A foreign file is imported whole.
  explicit CheckpointReader(const std::string& path);
  /// The same for a file that must have an index.
  explicit CheckpointReader(InputFile file);

  const std::string& path() const { return file_.path(); }
  const InputFile& file() const { return file_; }
  const Index& index() const { return index_; }
  /// The tensor of that path, which must be in the index. Throws CheckpointCorrupt if the values do
  /// not match their digest.
  Tensor read(const std::string& path) const;
  /// Throws CheckpointCorrupt if the bytes that belong to no tensor do not match their digest.
  void verify_rest() const;
  /// Everything that does not match its digest: one sentence per tensor, and one for the rest.
  /// Needs no memory for the tensors.
  std::vector<std::string> damage() const;

 private:
  bool is_rest_intact() const;

  InputFile file_;
  Index index_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
