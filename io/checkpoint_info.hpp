#pragma once
// What a checkpoint says about itself, without the objects that were saved in it:
//
//     const io::CheckpointInfo info = io::inspect("run.h5");
//     const Tensor weights = io::CheckpointFile("run.h5").read("model/cell/w_x");
//     for (const std::string& fault : io::verify("run.h5")) ...
//
// The program rewind-inspect shows the same (docs/inspect.md).

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>
#include <rewind/io/checkpoint.hpp>

namespace rw::io {

/// What was saved under a name.
struct ObjectInfo {
  std::string path;
  std::string kind;                            ///< its type in C++; empty if unknown
  std::map<std::string, std::string> options;  ///< what its numbers depend on
};

/// What the index of a checkpoint says. A foreign file (docs/checkpoints.md) has no index: only its
/// metadata and tensors are known.
struct CheckpointInfo {
  int format_version = 0;  ///< 0 for a foreign file
  std::string writer;      ///< the libraries that wrote it, with their versions
  std::uint64_t file_bytes = 0;
  Attributes metadata;
  std::vector<ObjectInfo> objects;  ///< in order of path
  std::vector<EntryInfo> tensors;   ///< in order of path

  bool is_foreign() const { return format_version == 0; }
};

/// An open checkpoint, from which single tensors can be read.
class CheckpointFile {
 public:
  /// Reads the index, or all of a foreign file. Throws as load() does if the file cannot be read.
  explicit CheckpointFile(const std::string& path);
  CheckpointFile(CheckpointFile&&) noexcept;
  CheckpointFile& operator=(CheckpointFile&&) noexcept;
  ~CheckpointFile();

  const CheckpointInfo& info() const { return info_; }
  /// The values at `path`, checked against their digest. Throws CheckpointCorrupt if they are
  /// damaged, CheckpointReadError, and UsageError if the file has no tensor of that path.
  Tensor read(const std::string& path) const;

 private:
  struct Source;
  std::unique_ptr<const Source> source_;
  CheckpointInfo info_;
};

/// What the checkpoint at `path` says about itself. Throws as load() does if the file cannot be
/// read.
CheckpointInfo inspect(const std::string& path);

/// Everything that is wrong with the file at `path`, one sentence each. Empty if all digests match
/// and libhdf5, in a child process, reads the same paths, shapes, types, values and metadata as
/// Rewind. A foreign file has no digests: it is only checked that libhdf5 can read all of it.
/// Throws CheckpointReadError if nothing can be said: there is no file, or not enough memory.
std::vector<std::string> verify(const std::string& path);

}  // namespace rw::io
