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
  /// All that does not match its digest: a sentence for each tensor, and one for the rest. Needs no
  /// memory for the tensors.
  std::vector<std::string> damage() const;

 private:
  bool is_rest_intact() const;

  InputFile file_;
  Index index_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
