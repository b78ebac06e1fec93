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

/// A file that is being written. Throws as fail_to_write() does.
class OutputFile {
 public:
  /// `target` must outlive this object. A copy could fail, which would leave the new file behind.
  OutputFile(const FileTarget& target, Descriptor descriptor) noexcept
      : target_(target), descriptor_(std::move(descriptor)) {}

  Descriptor& descriptor() { return descriptor_; }
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

 private:
  const FileTarget& target_;
  Descriptor descriptor_;
};

// Note [Atomic replacement]
// A file must stay complete if the process that writes it dies. So the bytes go to a temporary file
// in the target's directory, are flushed to disk, and only then take the target's name; last, the
// directory is flushed. Whoever opens the target sees the old file or the new one, both complete.
// The next save removes temporary files of processes that were killed.
//
// The new file gets the owner, group and mode of the old one; until then only the writer may open
// it. Usually the system lets only root set another owner or group. If it refuses, the file belongs
// to the writer; then no other group gets rights that were meant for the old one, and the
// set-user-ID and set-group-ID bits are dropped. Access lists and extended attributes are not kept,
// and other names of the old file (hard links) keep the old content.

/// Replaces the file at the target's path by one that `write` fills (Note [Atomic replacement]). A
/// symbolic link stays, and the file that it points to is replaced, or created if it does not
/// exist; a link that another user planted is refused (Note [Planted links]). Throws as
/// fail_to_write() does, and what `write` throws.
void replace_file(const FileTarget& target, const std::function<void(OutputFile&)>& write);

/// The same with the bytes of `content`.
void replace_file(const FileTarget& target, std::string_view content);

}  // namespace rw::io::detail

#pragma GCC visibility pop
