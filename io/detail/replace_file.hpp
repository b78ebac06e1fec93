#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/file_target.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// A file to write. Throws as fail_to_write() does.
class OutputFile {
 public:
  OutputFile(FileTarget target, Descriptor descriptor)
      : target_(std::move(target)), descriptor_(std::move(descriptor)) {}

  Descriptor& descriptor() { return descriptor_; }
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

 private:
  FileTarget target_;
  Descriptor descriptor_;
};

// Note [Atomic replacement]
// What is written must survive the death of the process that writes it. So the bytes go to a
// temporary file in the target's directory, are flushed to disk, and only then take the target's
// name; last, the directory is flushed. Whoever opens the target sees the old file or the new one,
// both complete. Temporary files of processes that were killed are removed by the next save.
//
// The new file gets owner, group and mode of the old one, and nobody but the writer may open it
// before. Where the system does not let us give it that owner or group, as it mostly lets only
// root, the file belongs to the writer; no other group then gets rights that were meant for the old
// one, and no program runs as another user. Access lists and extended attributes are not kept, and
// another name of the old file (a hard link) keeps the old content.

/// Replaces the file at the target's path by one that `write` fills (Note [Atomic replacement]). A
/// symbolic link stays, and what it points to is replaced, or made where it is not there yet; not
/// so one that somebody else planted (Note [Planted links]). Throws as fail_to_write() does, and
/// what `write` throws.
void replace_file(const FileTarget& target, const std::function<void(OutputFile&)>& write);

/// The same with the bytes of `content`.
void replace_file(const FileTarget& target, std::string_view content);

}  // namespace rw::io::detail

#pragma GCC visibility pop
