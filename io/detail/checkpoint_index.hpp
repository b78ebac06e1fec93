#pragma once
// The user block of a checkpoint, which says what the file holds and where, as bytes. Nothing here
// touches a file.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/digest.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

// Note [Checkpoint format]
// A checkpoint is an HDF5 file behind a user block, 512 bytes or more that HDF5 skips. The user
// block holds a header and an index: objects and metadata, and for each tensor its path, type,
// shape, the offset of its values in the file, and their digest. Rewind reads a file by the index
// alone (checkpoint_reader.hpp); libhdf5 builds the part that other tools read (hdf5_writer.hpp).
// In that part, groups follow the paths, and each tensor is one contiguous dataset of little-endian
// values, aligned to 64 bytes, so that both readers see the same bytes. A digest covers every byte
// of the file: that of the user block, of one tensor, or of the rest. Tensors and texts are sorted
// by path or name, and no time is stored: the same state gives the same bytes. docs/checkpoints.md
// has the layout byte by byte, and tests/checkpoint_reader.py reads it.
//
// An HDF5 file without a user block is foreign. Files that Rewind wrote before there was an index
// are foreign too. libhdf5 reads them in a child process (hdf5_import.hpp).

inline constexpr std::uint32_t format_version = 1;
/// Limits on the nesting of groups, and on the number of groups and tensors. They bound the time
/// spent on a hostile file.
inline constexpr int max_depth = 32;
inline constexpr std::size_t max_objects = 65536;
/// HDF5 stores longer names apart from the rest of its metadata.
inline constexpr std::size_t max_name_bytes = 255;
inline constexpr std::size_t max_attribute_bytes = 60000;
/// HDF5 counts attributes in 16 bits, and one is Rewind's own.
inline constexpr std::size_t max_attributes = 65534;
/// Limits on the user block, and on all other bytes that belong to no tensor.
inline constexpr std::uint64_t max_user_block_bytes = std::uint64_t{64} << 20;
inline constexpr std::uint64_t max_rest_bytes = std::uint64_t{256} << 20;
/// Prefix of the HDF5 attributes that are Rewind's own.
inline constexpr std::string_view own_prefix = "rewind:";

/// Whether `name` may be one component of a path.
bool is_valid_name(std::string_view name);
/// Whether `path` is made of at most max_depth valid names separated by '/'.
bool is_valid_path(std::string_view path);

/// What was saved under a name.
struct ObjectRecord {
  std::string path;
  std::string kind;  // its type in C++, such as "rw::Adam"; empty if unknown
  std::map<std::string, std::string> options;
};

struct TensorRecord {
  std::string path;
  Shape shape;
  DType dtype = DType::float32;
  std::uint64_t offset = 0;  // from the start of the file; 0 if there are no values
  Digest digest{};

  std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(shape.elements()) * size_of(dtype);
  }
};

/// Objects and tensors are sorted by path.
struct Index {
  std::string writer;  // the versions of the libraries that wrote the file
  Attributes metadata;
  std::vector<ObjectRecord> objects;
  std::vector<TensorRecord> tensors;
  std::uint64_t user_block_bytes = 0;
  std::uint64_t file_bytes = 0;
  Digest rest{};  // of the bytes behind the user block that belong to no tensor
};

/// A part of a file that belongs to no tensor.
struct Gap {
  std::uint64_t begin;
  std::uint64_t end;
};

/// The tensors that have values, in order of offset.
std::vector<const TensorRecord*> by_offset(const Index& index);
/// The gaps behind the user block that are not empty, in order.
std::vector<Gap> gaps(const Index& index);

inline constexpr std::size_t header_bytes = 64;

/// What is needed from the first bytes of a file to read its user block.
struct Header {
  std::uint64_t user_block_bytes = 0;
  std::uint64_t index_bytes = 0;
};

/// Whether `start`, the first bytes of a file, show that it has an index.
bool has_index(std::span<const std::byte> start);

/// The size of a user block with room for `index`: a power of two. Throws UsageError if it is more
/// than max_user_block_bytes.
std::uint64_t user_block_bytes_of(const Index& index);
/// The whole user block.
std::vector<std::byte> encode(const Index& index);

/// The header of the file `name`, which has `file_bytes`. Throws CheckpointCorrupt if the header
/// gives another size, CheckpointRefused for another version of the format.
Header decode_header(const std::string& name, std::span<const std::byte, header_bytes> start,
                     std::uint64_t file_bytes);
/// The index in a whole user block. Throws CheckpointCorrupt if the digest does not match, and
/// CheckpointRefused for what no checkpoint may hold. All tensors of the result lie inside the
/// file, and none overlap.
Index decode(const std::string& name, const Header& header, std::span<const std::byte> user_block,
             std::uint64_t file_bytes);

[[noreturn]] void fail_corrupt(const std::string& name, const std::string& why);
[[noreturn]] void fail_refused(const std::string& name, const std::string& why);

}  // namespace rw::io::detail

#pragma GCC visibility pop
