#pragma once
// HDF5 between tensors and bytes in memory; no file is touched here. hdf5_file.cpp is the only
// source that includes hdf5.h.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/io/checkpoint.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

// Note [Checkpoint format]
// Groups by path; one dataset per tensor, little-endian float32, float64 or int64, in chunks of at
// most 1 MiB that carry a Fletcher-32 checksum. A tensor of rank 0 or without elements lies
// compactly in its object header. The layout is that of HDF5 1.10, whose metadata carry checksums
// throughout, so that no flipped bit goes unnoticed; nothing is compressed, and no time is stored.
// The root has the attribute "rewind:format_version" (int64) and the user's attributes as
// fixed-length UTF-8 strings; those of variable length lie in a heap without checksums, and HDF5
// trusts what it finds there. The group of an object has the attributes "rewind:tensors" and
// "rewind:values" (int64) and, where it is known, "rewind:kind" (a string as above). Nothing reads
// them back.

/// Levels of groups, and number of groups and datasets, that a checkpoint may have. They bound the
/// time spent on a hostile file.
inline constexpr int max_depth = 32;
inline constexpr std::size_t max_objects = 65536;
/// Longer names and attributes would lie in parts of the file that HDF5 does not protect by
/// checksums.
inline constexpr std::size_t max_name_bytes = 255;
inline constexpr std::size_t max_attribute_bytes = 60000;
/// Begins the names of attributes that are Rewind's own.
inline constexpr std::string_view own_prefix = "rewind:";

/// Whether `name` may be one component of a path.
bool is_valid_name(std::string_view name);

/// A finished file, in memory that HDF5 allocated.
struct Image {
  std::unique_ptr<std::byte[], void (*)(void*)> data;
  std::size_t size;

  std::span<const std::byte> bytes() const { return {data.get(), size}; }
};

/// The checkpoint `name` (for messages) that holds `state` and `attributes`, which must be valid,
/// and what is known about `objects`. Throws CheckpointWriteError.
Image encode(const std::string& name, const StateList& state, const Attributes& attributes,
             const std::vector<SavedObject>& objects);

/// Reads a checkpoint from its bytes. Every member throws CheckpointCorrupt or CheckpointRefused,
/// with `name` in the message. Only one reader exists at a time; another thread waits.
class Reader {
 public:
  Reader(std::string name, std::vector<std::byte> bytes);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader();

  /// All datasets in order of path. Nothing of them has been read, but each is plain, and as large
  /// as it says.
  std::vector<EntryInfo> entries();
  Attributes attributes();
  /// The values of one of entries().
  Tensor read(const EntryInfo& entry);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
